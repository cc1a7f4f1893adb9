import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventInput, Frame } from '@s2lab/events';
import { EventColumns, encodeEvent } from '@s2lab/events';
import { VerifyingSink } from './verifying-sink.ts';

const lastPut: EventInput = { kind: 'reference-put', table: 3, count: 0 };
const freed: EventInput = { kind: 'table-freed', table: 3, level: 3 };

function frame(firstSeq: number, events: readonly EventInput[]): Frame {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  return { origin: { run: 'r', machine: 4, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq, rows };
}

test('each violation is told once, with the frame that brought it to light', async () => {
  const told: string[] = [];
  const sink = new VerifyingSink(({ kept, counts }, { origin }) => {
    told.push(`${origin.machine}: ${[...counts].map(([id, count]) => `${id} ${count}`).join()} (${kept.map(({ seq }) => seq).join()})`);
  });
  await sink.write(
    frame(0, [{ kind: 'machine-started', vcpus: 1, pageShift: 12 }, { kind: 'table-allocated', table: 3, level: 3 }, lastPut, freed]),
  );
  assert.deepEqual([sink.events, sink.violations, told], [4, 0, []]);
  await sink.write(frame(4, [freed]));
  await sink.write(frame(5, [{ kind: 'isb-completed' }]));
  assert.deepEqual(told, ['4: I5 1 (4)']);
  assert.equal(sink.violations, 1);
  assert.equal(sink.verdict().verdict, 'violated');
});

test('violations beyond those that are kept with their proofs are counted all the same', async () => {
  const sink = new VerifyingSink();
  await sink.write(frame(0, [{ kind: 'machine-started', vcpus: 1, pageShift: 12 }]));
  for (let i = 0; i < 150; i += 1) {
    await sink.write(
      frame(1 + 3 * i, [
        { kind: 'table-allocated', table: 3 + i, level: 3 },
        { ...freed, table: 3 + i },
        { ...freed, table: 3 + i },
      ]),
    );
  }
  assert.equal(
    sink.violations,
    Object.values(sink.verdict().counts).reduce((sum, n) => sum + n, 0),
  );
  assert.ok(sink.violations >= 150);
  assert.ok(sink.verdict().violations.length < sink.violations);
});
