import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DSB, EventColumns, K, LOCK_MODE, TLBI } from '@s2lab/events';
import { machineConfig, World } from './index.ts';

const VCPUS = 2;
const world = () => new World(machineConfig({ vcpus: VCPUS, tlbEntries: 8, walkCacheEntries: 16 }));

/** Evolves by an event that has only an actor, an argument and perhaps more. */
function commit(
  target: World,
  kind: number,
  actor: number,
  fields: { level?: number; table?: number; new?: number; ipa?: number; arg?: number; aux?: number },
): void {
  const { level = 0, table = 0, new: value = 0, ipa = 0, arg = 0, aux = 0 } = fields;
  const row = new EventColumns(1);
  row.append(kind, 0, actor, 0, 1, level, 0, table, 0, 0, value, 0, ipa, arg, aux);
  target.evolve(row, 0);
}

test('the lock is fair: a reader that comes after a waiting writer waits behind it', () => {
  const shared = world();
  const { lock } = shared.stage2(1);
  commit(shared, K.lockAcquired, 0, { aux: LOCK_MODE.read });
  assert.equal(lock.isFree(1, LOCK_MODE.read), true);
  assert.equal(lock.isFree(2, LOCK_MODE.write), false);
  commit(shared, K.lockContended, 2, { aux: LOCK_MODE.write });
  assert.equal(lock.isFree(1, LOCK_MODE.read), false);
  commit(shared, K.lockReleased, 0, { aux: LOCK_MODE.read });
  assert.equal(lock.isFree(2, LOCK_MODE.write), true);
  commit(shared, K.lockAcquired, 2, { aux: LOCK_MODE.write });
  assert.deepEqual([lock.writer, lock.waitingCount, lock.isFree(1, LOCK_MODE.read)], [2, 0, false]);
});

test('retired sub-trees come back oldest first, however many there are', () => {
  const shared = world();
  let next = 0;
  for (let table = 100; table < 160; table += 1) {
    commit(shared, K.tableRetired, 0, { table, level: 2 });
    // Every third time the oldest is torn down, so that the ring wraps before it grows.
    if (table % 3 === 0) {
      assert.equal(shared.stage2(1).retired[shared.stage2(1).retiredHead], 100 + next);
      commit(shared, K.reclaimBegan, 3, { table: 100 + next, level: 2 });
      next += 1;
    }
  }
  for (; next < 60; next += 1) {
    assert.equal(shared.stage2(1).retired[shared.stage2(1).retiredHead], 100 + next);
    commit(shared, K.reclaimBegan, 3, { table: 100 + next, level: 2 });
  }
  assert.equal(shared.retiredCount, 0);
});

test('a grace period waits for the sections open at its begin, and for no later one', () => {
  const shared = world();
  commit(shared, K.readSectionEntered, 0, {});
  commit(shared, K.tableRetired, 1, { table: 7, level: 2 });
  commit(shared, K.gracePeriodBegan, 3, { arg: 1 });
  commit(shared, K.readSectionEntered, 1, {});
  assert.equal(shared.stage2(1).awaitedCount, 1);
  commit(shared, K.readSectionLeft, 1, {});
  assert.equal(shared.stage2(1).awaitedCount, 1);
  commit(shared, K.readSectionLeft, 0, {});
  assert.equal(shared.stage2(1).awaitedCount, 0);
  // What is retired while it is open must wait for the next one.
  commit(shared, K.tableRetired, 1, { table: 8, level: 2 });
  assert.deepEqual([...shared.stage2(1).retired.subarray(0, 6)], [7, 2, 1, 8, 2, 2]);
});

test('a TLBI takes effect at its DSB, not before, and not at a DSB for stores only', () => {
  const shared = world();
  const fill = () => {
    commit(shared, K.tlbFilled, 0, { level: 3, ipa: 0x4000, new: 0x10_07db });
    commit(shared, K.walkCacheFilled, 0, { level: 2, ipa: 0, arg: 5 });
  };
  fill();
  commit(shared, K.tlbiIssued, 2, { level: -1, arg: TLBI.vmalls12e1is });
  commit(shared, K.dsbCompleted, 2, { arg: DSB.ishst });
  assert.ok(shared.stage2(1).tlb.find(0, 0x4abc) >= 0);
  commit(shared, K.dsbCompleted, 2, { arg: DSB.ish });
  assert.deepEqual(
    [shared.stage2(1).tlb.find(0, 0x4abc), shared.stage2(1).tlb.findStep(0, 0x4abc), shared.stage2(1).invalidationEpoch],
    [-1, -1, 1],
  );
});

test('a stage-2 invalidation drops walk steps of its address, a stage-1 one the combined entries, a local one only those of its core', () => {
  const shared = world();
  for (const vcpu of [0, 1]) {
    commit(shared, K.tlbFilled, vcpu, { level: 3, ipa: 0x4000, new: 0x10_07db });
    commit(shared, K.walkCacheFilled, vcpu, { level: 2, ipa: 0, arg: 5 });
    commit(shared, K.walkCacheFilled, vcpu, { level: 2, ipa: 0x20_0000, arg: 6 });
  }
  commit(shared, K.tlbiIssued, 0, { level: 3, ipa: 0x4000, arg: TLBI.ipas2e1 });
  commit(shared, K.dsbCompleted, 0, { arg: DSB.nsh });
  const steps = (vcpu: number) => [
    shared.stage2(1).tlb.findStep(vcpu, 0x4000) >= 0,
    shared.stage2(1).tlb.findStep(vcpu, 0x20_0000) >= 0,
    shared.stage2(1).tlb.find(vcpu, 0x4000) >= 0,
  ];
  assert.deepEqual(
    [steps(0), steps(1)],
    [
      [false, true, true],
      [true, true, true],
    ],
  );
  commit(shared, K.tlbiIssued, 0, { level: -1, arg: TLBI.vmalle1is });
  commit(shared, K.dsbCompleted, 0, { arg: DSB.ish });
  assert.deepEqual(
    [steps(0), steps(1)],
    [
      [false, true, false],
      [true, true, false],
    ],
  );
});
