import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventInput, Frame } from '@s2lab/events';
import { EventColumns, encodeEvent } from '@s2lab/events';
import { TopicJudge } from './topic-judge.ts';

function frame(run: string, firstSeq: number, events: readonly EventInput[]): Frame {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  return { origin: { run, machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq, rows };
}

const START: EventInput = { kind: 'machine-started', vcpus: 1, pageShift: 12 };
const ISB: EventInput = { kind: 'isb-completed' };

test('rows that come again are dropped and counted', () => {
  const judge = new TopicJudge();
  judge.judge(frame('a', 0, [START, ISB]));
  const again = judge.judge(frame('a', 0, [START, ISB]));
  assert.equal(again.duplicates, 2);
  assert.equal(again.fresh, undefined);
  assert.equal(judge.verdict().events, 2);
});

test('a gap is told and is a violation of I17', () => {
  const judge = new TopicJudge();
  judge.judge(frame('a', 0, [START, ISB]));
  const later = judge.judge(frame('a', 5, [ISB]));
  assert.equal(later.gap, true);
  assert.deepEqual(
    later.violations.kept.map(({ invariant }) => invariant),
    ['I17'],
  );
  assert.equal(judge.verdict().verdict, 'violated');
});

test('a machine whose beginning is gone is not judged, and said to be so once', () => {
  const judge = new TopicJudge();
  assert.equal(judge.judge(frame('old', 70, [ISB])).unjudged, true);
  const next = judge.judge(frame('old', 71, [ISB]));
  assert.deepEqual([next.unjudged, next.gap, next.violations.kept.length], [false, false, 0]);
  assert.deepEqual(judge.verdict().machines, { running: 0, stopped: 0, unjudged: 1 });
});

test('a violation is told once, with its machine, and the machine is let go when it stops', () => {
  const judge = new TopicJudge();
  const freeTwice: EventInput[] = [
    START,
    { kind: 'table-allocated', table: 3, level: 3 },
    { kind: 'table-freed', table: 3, level: 3 },
    { kind: 'table-freed', table: 3, level: 3 },
  ];
  const first = judge.judge(frame('a', 0, freeTwice));
  assert.ok(first.violations.kept.length > 0);
  assert.equal(judge.judge(frame('a', 4, [{ kind: 'machine-stopped', cause: 1 }])).violations.kept.filter(({ seq }) => seq < 4).length, 0);
  assert.deepEqual(judge.verdict().machines, { running: 0, stopped: 1, unjudged: 0 });
  assert.equal(judge.verdict().latest.length >= 1, true);
});
