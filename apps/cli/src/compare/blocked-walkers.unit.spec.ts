import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { EventInput } from '@s2lab/events';
import { encodeEvent, EventColumns } from '@s2lab/events';
import { BLOCKED_LIMITS_NS, BlockedWalkers } from './blocked-walkers.ts';

const LOCKED = '0x1000000000007000';
const at = { table: 3, slot: 5, level: 2 };

async function blockedBy(events: readonly EventInput[]): Promise<BlockedWalkers> {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  const blocked = new BlockedWalkers();
  await blocked.write({ origin: { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq: 0, rows });
  return blocked;
}

test('a walker is blocked from the first time it meets a descriptor that another has locked until its access goes through', async () => {
  const blocked = await blockedBy([
    { kind: 'descriptor-swapped', at: 100, actor: 0, ...at, new: LOCKED },
    // Who locked it is not blocked by it.
    { kind: 'descriptor-read', at: 110, actor: 0, ...at, value: LOCKED },
    { kind: 'hardware-descriptor-read', at: 200, actor: 1, ...at, value: LOCKED },
    { kind: 'descriptor-read', at: 900, actor: 1, ...at, value: LOCKED },
    { kind: 'walk-ended', at: 950, actor: 1, result: -11 },
    { kind: 'descriptor-released', at: 1000, actor: 0, ...at, new: '0x7d9' },
    { kind: 'guest-accessed', at: 1700, actor: 1 },
    // Nobody has it locked any more.
    { kind: 'descriptor-read', at: 1800, actor: 2, ...at, value: '0x7d9' },
    { kind: 'walk-ended', at: 1900, actor: 2, result: 0 },
  ]);
  assert.deepEqual([blocked.totalNs, blocked.longestNs], [1500, 1500]);
  assert.deepEqual(
    blocked.counts,
    [...BLOCKED_LIMITS_NS, Infinity].map((limit) => (limit === 3000 ? 1 : 0)),
  );
});

test('a wait longer than every bound is counted in the last bucket', async () => {
  const blocked = await blockedBy([
    { kind: 'descriptor-stored', at: 0, actor: 4, ...at, new: LOCKED },
    { kind: 'descriptor-read', at: 10, actor: 1, ...at, value: LOCKED },
    { kind: 'walk-ended', at: 60_000_000, actor: 1, result: 0 },
  ]);
  assert.equal(blocked.counts.at(-1), 1);
});
