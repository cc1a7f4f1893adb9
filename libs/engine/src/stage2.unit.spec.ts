import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DSB, EventColumns, K, LOCK_MODE, TLBI } from '@s2lab/events';
import { machineConfig, World } from './index.ts';

type Columns = [number, number, number, number, number, number, number, number, number, number, number, number, number];

/** Lets `world` evolve by one event: its kind, actor, VMID, level, slot, table, old and new descriptor in halves, address, argument and auxiliary. */
function evolve(world: World, ...columns: Columns): void {
  const [kind, actor, vmid, ...rest] = columns;
  const row = new EventColumns(1);
  row.append(kind, 0, actor, 0, vmid, ...rest);
  world.evolve(row, 0);
}

/** A world of two stage-2s: the host's at VMID 0, a guest's of 32 bits at VMID 3. */
function twoStage2s(): World {
  const world = new World(machineConfig({ kind: 'pkvm', vcpus: 2, ipaBits: 40 }));
  evolve(world, K.stage2Created, 2, 0, 1, 40, 0, 0, 0, 0, 0, 0, 2, 1);
  evolve(world, K.stage2Created, 2, 3, 2, 32, 8, 0, 0, 0, 0, 0, 4, 1);
  return world;
}

test('each stage-2 has its own shape, lock and sections', () => {
  const world = twoStage2s();
  assert.deepEqual(
    [0, 3].map((vmid) => [world.stage2(vmid).root, world.stage2(vmid).shape.startLevel, world.stage2(vmid).rootPages]),
    [
      [0, 1, 2],
      [8, 2, 4],
    ],
  );
  evolve(world, K.lockAcquired, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, LOCK_MODE.write);
  evolve(world, K.readSectionEntered, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual([world.stage2(3).lock.writer, world.stage2(0).lock.writer], [0, -1]);
  assert.deepEqual([world.stage2(3).inSection[1], world.stage2(0).inSection[1]], [1, 0]);
});

test('a translation is found under its VMID only, and an invalidation takes out those of its VMID only', () => {
  const world = twoStage2s();
  for (const vmid of [0, 3]) evolve(world, K.tlbFilled, 0, vmid, 3, 0, 0, 0, 0, 0x10_07db, 0, 0x4000, 0, 0);
  evolve(world, K.tlbiIssued, 1, 3, -1, 0, 0, 0, 0, 0, 0, 0, TLBI.vmalls12e1is, 0);
  evolve(world, K.dsbCompleted, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, DSB.ish, 0);
  assert.deepEqual([world.stage2(0).tlb.find(0, 0x4000) >= 0, world.stage2(3).tlb.find(0, 0x4000)], [true, -1]);
});

test('what is cached under a VMID outlives its stage-2 until it is invalidated', () => {
  const world = twoStage2s();
  evolve(world, K.tlbFilled, 0, 3, 3, 0, 0, 0, 0, 0x10_07db, 0, 0x4000, 0, 0);
  evolve(world, K.stage2Destroyed, 2, 3, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0);
  evolve(world, K.stage2Created, 2, 3, 1, 40, 20, 0, 0, 0, 0, 0, 2, 1);
  assert.ok(world.stage2(3).tlb.find(0, 0x4000) >= 0);
});
