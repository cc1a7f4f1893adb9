import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DSB, TLBI } from '@s2lab/events';
import { FLUSH, PendingFlushes } from './pending-flushes.ts';

const PAGE = 0x1000;
const MIB2 = 0x20_0000;

function ranges(pending: PendingFlushes): string[] {
  return Array.from(
    { length: pending.count },
    (_, i) => `${pending.from[i]! / PAGE}-${pending.to[i]! / PAGE}:${pending.stage[i]}`,
  ).toSorted();
}

function pages(from: number, to: number): PendingFlushes {
  const pending = new PendingFlushes();
  for (let page = from; page < to; page++) pending.add(page * PAGE, PAGE, 3, false, false, 1, 0, page, 0, 0);
  return pending;
}

function finish(pending: PendingFlushes, actor: number): void {
  pending.barrier(actor, DSB.ish);
  pending.invalidate(TLBI.vmalle1is, actor, 1, 0, 0, -1);
  pending.barrier(actor, DSB.ish);
}

test('neighbours that are broken one after the other share one record', () => {
  assert.deepEqual(ranges(pages(0, 100_000)), [`0-100000:${FLUSH.stored}`]);
});

test('a flush of one page in the middle leaves the pages on both sides pending', () => {
  const pending = pages(0, 10);
  pending.barrier(0, DSB.ish);
  pending.invalidate(TLBI.ipas2e1is, 0, 1, 4 * PAGE, 0, 3);
  finish(pending, 0);
  assert.deepEqual(ranges(pending), [`0-4:${FLUSH.visible}`, `5-10:${FLUSH.visible}`]);
});

test('whoever has flushed all of a range first has flushed it for both, as a walker that unlinks the table above does', () => {
  const pending = pages(4, 5);
  pending.barrier(0, DSB.ish);
  pending.invalidate(TLBI.ipas2e1is, 0, 1, 4 * PAGE, 0, 3);
  pending.invalidate(TLBI.ripas2e1is, 2, 1, 0, 8 * PAGE, -1);
  pending.barrier(2, DSB.ish);
  assert.equal(pending.count, 1);
  pending.invalidate(TLBI.vmalle1is, 2, 1, 0, 0, -1);
  assert.equal(pending.count, 1);
  pending.barrier(2, DSB.ish);
  assert.equal(pending.count, 0);
  const part = pages(4, 6);
  part.barrier(0, DSB.ish);
  part.invalidate(TLBI.ripas2e1is, 0, 1, 4 * PAGE, 2 * PAGE, -1);
  part.invalidate(TLBI.ripas2e1is, 2, 1, 0, 5 * PAGE, -1);
  finish(part, 2);
  assert.equal(part.count, 1, 'a flush of a part ends nothing');
  finish(part, 0);
  assert.equal(part.count, 0);
});

test('range pieces add up, and pages outside every piece stay', () => {
  const pending = pages(0, 100);
  pending.barrier(0, DSB.ish);
  pending.invalidate(TLBI.ripas2e1is, 0, 1, 0, 64 * PAGE, -1);
  pending.invalidate(TLBI.ripas2e1is, 0, 1, 64 * PAGE, 30 * PAGE, -1);
  finish(pending, 0);
  assert.deepEqual(ranges(pending), [`94-100:${FLUSH.visible}`]);
});

test('any address of a block flushes all of it, an unlinked table with content needs its whole range', () => {
  const pending = new PendingFlushes();
  pending.add(0, MIB2, 2, false, false, 1, 0, 1, 0, 0);
  pending.add(MIB2, MIB2, 2, true, true, 1, 0, 2, 0, 0);
  pending.barrier(0, DSB.ish);
  pending.invalidate(TLBI.ripas2e1is, 0, 1, PAGE, 3 * PAGE, -1);
  pending.invalidate(TLBI.ripas2e1is, 0, 1, MIB2, MIB2 / 2, -1);
  finish(pending, 0);
  assert.deepEqual(ranges(pending), [`${(MIB2 * 1.5) / PAGE}-${(2 * MIB2) / PAGE}:${FLUSH.visible}`]);
});

test('neither a local TLBI, nor one before the DSB, nor one of another VMID or level, nor the DSB of another core ends a flush', () => {
  const steps: readonly ((p: PendingFlushes) => void)[] = [
    (p) => p.invalidate(TLBI.ipas2e1is, 0, 1, 0, 0, 3),
    (p) => {
      p.barrier(0, DSB.ish);
      p.invalidate(TLBI.ipas2e1, 0, 1, 0, 0, 3);
    },
    (p) => {
      p.barrier(0, DSB.ish);
      p.invalidate(TLBI.ipas2e1is, 0, 2, 0, 0, 3);
    },
    (p) => {
      p.barrier(0, DSB.ish);
      p.invalidate(TLBI.ipas2e1is, 0, 1, 0, 0, 2);
    },
    (p) => {
      p.barrier(1, DSB.ish);
      p.invalidate(TLBI.ipas2e1is, 0, 1, 0, 0, 3);
    },
    (p) => {
      p.barrier(0, DSB.nsh);
      p.invalidate(TLBI.ipas2e1is, 0, 1, 0, 0, 3);
    },
  ];
  for (const step of steps) {
    const pending = pages(0, 1);
    step(pending);
    finish(pending, 0);
    assert.equal(pending.count, 1, step.toString());
  }
  const pending = pages(0, 1);
  pending.barrier(0, DSB.ish);
  pending.invalidate(TLBI.vmalls12e1is, 3, 1, 0, 0, -1);
  pending.barrier(0, DSB.ish);
  assert.equal(pending.count, 1, 'the DSB must be of the core that issued the TLBI');
  pending.barrier(3, DSB.ishst);
  assert.equal(pending.count, 1, 'a store barrier completes no TLBI');
  pending.barrier(3, DSB.ish);
  assert.equal(pending.count, 0);
});
