import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { EventInput } from '@s2lab/events';
import { encodeEvent, EventColumns } from '@s2lab/events';
import { PendingCurve } from './pending-curve.ts';

const origin = { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' };

async function curveOf(events: readonly EventInput[]): Promise<PendingCurve> {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  const curve = new PendingCurve();
  await curve.write({ origin, firstSeq: 0, rows });
  return curve;
}

test('the integral adds up how long each sub-tree was pending, and the peak how many were at once', async () => {
  const curve = await curveOf([
    { kind: 'table-retired', at: 100, table: 1 },
    { kind: 'table-retired', at: 150, table: 2 },
    { kind: 'reclaim-ended', at: 300, table: 1 },
    { kind: 'reclaim-ended', at: 350, table: 2 },
    // Freed at once, never retired: nothing was pending.
    { kind: 'reclaim-ended', at: 400, table: 3 },
  ]);
  assert.deepEqual(curve.points(), { at: [100, 150, 300, 350], pending: [1, 2, 1, 0] });
  assert.deepEqual([curve.integral, curve.peak, curve.oldestNs], [400, 2, 200]);
});

test('a curve with many steps is drawn with few points, none lower than what it leaves out', async () => {
  const events: EventInput[] = [];
  for (let n = 0; n < 2000; n += 1) events.push({ kind: 'table-retired', at: n, table: n });
  for (let n = 0; n < 2000; n += 1) events.push({ kind: 'reclaim-ended', at: 5000 + n, table: n });
  const curve = await curveOf(events);
  const { at, pending } = curve.points();
  assert.ok(at.length <= 600, String(at.length));
  assert.deepEqual([curve.peak, Math.max(...pending), pending.at(-1)], [2000, 2000, 0]);
});
