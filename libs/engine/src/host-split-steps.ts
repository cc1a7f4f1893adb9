import { alignDown, spanBytes } from '@s2lab/arch';
import { INJECTED, K, LOCK, LOCK_MODE, OP, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { beginWalk } from './control.ts';
import { acquire, release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * Eager splitting of [rangeCursor, rangeEnd) under the write side of the lock, chunk by chunk; the lock is given up only for a top-up of
 * the cache or for who waits. Linux arch/arm64/kvm/mmu.c kvm_mmu_split_memory_region(), kvm_mmu_split_huge_pages(),
 * need_split_memcache_topup_or_resched(), kvm_mmu_split_nr_page_tables().
 */

/** Splits [rangeCursor, rangeEnd); the lock is held. Goes on at `back`, the lock still held: nothing is done when splitting is off. */
export function beginHostSplit(machine: Machine, walker: Walker, back: number): void {
  walker.splitReturn = back;
  walker.walkId = 0;
  walker.pc = machine.config.eagerSplitBytes === 0 ? back : PC.splitNext;
}

/** One step between the walks of an eager split. */
export function stepHostSplit(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.splitBegin:
      acquire(walker, LOCK_MODE.write, PC.splitLocked);
      return;
    case PC.splitLocked:
      beginHostSplit(machine, walker, PC.splitOver);
      return;
    case PC.splitOver:
      release(walker, PC.hostEnd);
      return;
    case PC.splitNext:
      next(machine, walker);
      return;
    case PC.splitChunk:
      chunk(machine, walker);
      return;
    case PC.splitYield:
      machine.note(walker, K.yieldOffered, 0, LOCK.mmu, 0);
      walker.pc = PC.splitTopUp;
      return;
    case PC.splitTopUp:
      topUp(machine, walker);
      return;
    case PC.splitChunkDone:
      chunkDone(walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no split step at pc ${walker.pc}`);
  }
}

/** Table pages that the split of one chunk may need. */
function pagesNeeded(machine: Machine): number {
  const { shape } = machine.world;
  const bytes = machine.config.eagerSplitBytes;
  const upper = shape.minBlockLevel < 2 ? Math.ceil(bytes / spanBytes(shape, 1)) : 0;
  return upper + Math.ceil(bytes / spanBytes(shape, 2));
}

function next(machine: Machine, walker: Walker): void {
  if (walker.memcache < pagesNeeded(machine) || machine.stage2(walker).lock.waitingCount > 0) release(walker, PC.splitYield);
  else chunk(machine, walker);
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

function topUp(machine: Machine, walker: Walker): void {
  const pages = pagesNeeded(machine);
  if (walker.memcache < pages && walker.starved > 0) {
    // Splitting is best effort: what is not split now is split by the faults. @source kvm_mmu_split_huge_pages(): ret of the top-up
    machine.note(walker, K.faultInjected, 0, INJECTED.cacheExhausted, walker.starved - 1);
    walker.starved = 0;
    acquire(walker, LOCK_MODE.write, walker.splitReturn);
    return;
  }
  if (walker.memcache < pages) {
    machine.note(walker, K.cacheToppedUp, 0, walker.memcache, pages);
    walker.memcache = pages;
  }
  acquire(walker, LOCK_MODE.write, PC.splitChunk);
}

/** Best effort: a chunk that could not be split ends it, and nobody is told. */
function chunkDone(walker: Walker): void {
  walker.walkId = 0;
  walker.memcache = walker.cachePages;
  const over = walker.rangeCursor >= walker.rangeEnd || walker.result !== RESULT.ok;
  walker.result = RESULT.ok;
  walker.pc = over ? walker.splitReturn : PC.splitNext;
}
