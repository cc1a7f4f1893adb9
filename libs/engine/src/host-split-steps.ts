import { alignDown, spanBytes } from '@s2lab/arch';
import { K, LOCK_MODE, OP, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { beginWalk } from './control.ts';
import { acquire, release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * Eager splitting of [rangeCursor, rangeEnd), one chunk under the lock at a time, its cache topped up before: Linux
 * arch/arm64/kvm/mmu.c kvm_mmu_split_huge_pages(), kvm_mmu_split_nr_page_tables().
 */

/** One step between the walks of an eager split. */
export function stepHostSplit(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.splitNext:
      next(machine, walker);
      return;
    case PC.splitChunk:
      chunk(machine, walker);
      return;
    case PC.splitChunkDone:
      walker.walkId = 0;
      walker.memcache = walker.cachePages;
      release(walker, PC.splitNext);
      return;
    default:
      assert(false, `actor ${walker.actor}: no split step at pc ${walker.pc}`);
  }
}

function next(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  if (walker.rangeCursor >= walker.rangeEnd || walker.result === RESULT.enomem) {
    walker.pc = PC.hostEnd;
    return;
  }
  const { shape } = machine.world;
  const bytes = machine.config.eagerSplitBytes;
  const upper = shape.minBlockLevel < 2 ? Math.ceil(bytes / spanBytes(shape, 1)) : 0;
  const pages = upper + Math.ceil(bytes / spanBytes(shape, 2));
  if (walker.memcache < pages) {
    machine.note(walker, K.cacheToppedUp, 0, walker.memcache, pages);
    walker.memcache = pages;
  }
  acquire(walker, LOCK_MODE.write, PC.splitChunk);
}

function chunk(machine: Machine, walker: Walker): void {
  const bytes = machine.config.eagerSplitBytes;
  const from = walker.rangeCursor;
  const to = Math.min(walker.rangeEnd, alignDown(from, bytes) + bytes);
  walker.rangeCursor = to;
  walker.cachePages = walker.memcache;
  walker.prot = 0;
  walker.phys = 0;
  beginWalk(walker, OP.split, WALK_FLAG.leaf, from, to - from, PC.splitChunkDone);
}
