import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine, machineConfig } from '@s2lab/engine';
import { EventColumns } from '@s2lab/events';
import { epoch } from './epoch.ts';

const ACTORS = 4;

function stage2At(gracePeriod: number, retiredIn: readonly number[]) {
  const idle = { next: () => undefined };
  const machine = new Machine(machineConfig({ vcpus: 2 }), epoch, idle, new EventColumns(1 << 10));
  const stage2 = machine.world.prepare(0, machine.world.shape, { fwb: false, xnx: false, asStage1: false });
  stage2.gracePeriod = gracePeriod;
  for (const [i, number] of retiredIn.entries()) stage2.retired.set([i, 2, number + 1], 3 * i);
  stage2.retiredCount = retiredIn.length;
  return stage2;
}

test('epochs counted from 0 again: the present one stays the present one, and those that are over are alike', () => {
  const stage2 = stage2At(7, []);
  // Announced: the present epoch, one before, none, the first of all; read on the way in: the present one, an earlier one.
  const words = Int32Array.of(8, 7, 0, 1, 8, 5, 0, 0, 0, 2);
  epoch.rebaseEpochs!(words, ACTORS, stage2);
  assert.deepEqual([...words], [1, -1, 0, -1, 1, -1, 0, 0, 0, 2]);
  assert.equal(stage2.gracePeriod, 0);
});

test('epochs counted from 0 again: of whom the scan has passed, the present one is as one that is over', () => {
  // All four announce the present epoch, and two have read it on the way in; the scan has passed the first three.
  const words = Int32Array.of(8, 8, 8, 8, 8, 0, 0, 8, 3, 0);
  epoch.rebaseEpochs!(words, ACTORS, stage2At(7, [6]));
  assert.deepEqual([...words], [-1, -1, -1, 1, -1, 0, 0, 1, 3, 0]);
});

test('epochs counted from 0 again: what is retired has as many epochs to wait for as before', () => {
  const stage2 = stage2At(7, [3, 5, 6, 7]);
  epoch.rebaseEpochs!(new Int32Array(epoch.stateWords(ACTORS)), ACTORS, stage2);
  // Freed when the epoch is at least two later than that in which it was retired, which is one below the number kept.
  const left = [0, 1, 2, 3].map((i) => Math.max(0, stage2.retired[3 * i + 2]! - 1 + 2 - stage2.gracePeriod));
  assert.deepEqual(left, [0, 0, 1, 2]);
});
