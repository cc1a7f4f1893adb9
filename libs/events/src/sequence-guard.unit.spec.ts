import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from './index.ts';
import { encodeEvent, EventColumns, SequenceGuard } from './index.ts';

const origin = { run: 'r', machine: 3, policy: 'rcu', machineKind: 'kvm', workload: 'boot' };

function frame(firstSeq: number, count: number): Frame {
  const rows = new EventColumns(count);
  for (let i = 0; i < count; i += 1) encodeEvent(rows, { kind: 'isb-completed', at: firstSeq + i });
  return { origin, firstSeq, rows };
}

test('a frame seen before is dropped, and only the new rows of an overlapping one are kept', () => {
  const guard = new SequenceGuard();
  assert.equal(guard.admit(frame(0, 4)).frame?.rows.length, 4);
  assert.deepEqual(guard.admit(frame(0, 4)), { frame: undefined, duplicates: 4, gap: undefined });
  const overlap = guard.admit(frame(2, 4));
  assert.equal(overlap.duplicates, 2);
  assert.equal(overlap.frame?.firstSeq, 4);
  assert.deepEqual([...overlap.frame!.rows.at.subarray(0, 4)], [4, 0, 5, 0]);
});

test('a missing frame is a gap that names what was expected and what came', () => {
  const guard = new SequenceGuard();
  guard.admit(frame(0, 4));
  assert.deepEqual(guard.admit(frame(9, 1)).gap, { origin, expected: 4, found: 9 });
  assert.equal(guard.admit(frame(10, 1)).gap, undefined);
});

test('positions of a checkpoint carry on where the guard stopped', () => {
  const first = new SequenceGuard();
  first.admit(frame(0, 4));
  const second = new SequenceGuard();
  second.restore(first.positions());
  assert.equal(second.admit(frame(0, 4)).duplicates, 4);
});
