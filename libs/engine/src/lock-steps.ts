import { K } from '@s2lab/events';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * The mmu lock of the stage-2: a fair read-write lock (kernel: rwlock_t mmu_lock, a queued rwlock). Who must wait is queued in order of
 * arrival and woken by the release that lets it in.
 */

/** Takes the lock `walker.lock` of its stage-2 in `mode` (LOCK_MODE), or nothing when mode is 0; goes on at `back` when it is held. */
export function acquire(walker: Walker, mode: number, back: number): void {
  walker.lockMode = mode;
  walker.lockReturn = back;
  walker.pc = mode === 0 ? back : PC.lockAcquire;
}

/** Releases what `acquire` took; goes on at `back`. */
export function release(walker: Walker, back: number): void {
  walker.lockReturn = back;
  walker.pc = walker.lockMode === 0 ? back : PC.lockRelease;
}

/** One attempt at the lock, or its release. */
export function stepLock(machine: Machine, walker: Walker): void {
  const lock = machine.world.lockOf(walker.vmid, walker.lock);
  if (walker.pc === PC.lockRelease) {
    machine.note(walker, K.lockReleased, 0, walker.lock, walker.lockMode);
    walker.lockMode = 0;
    walker.pc = walker.lockReturn;
    machine.wakeLock(lock);
  } else if (lock.isFree(walker.actor, walker.lockMode)) {
    machine.note(walker, K.lockAcquired, 0, walker.lock, walker.lockMode);
    walker.pc = walker.lockReturn;
    // Readers queued behind this one may enter with it.
    machine.wakeLock(lock);
  } else {
    if (!lock.isAwaited(walker.actor)) machine.note(walker, K.lockContended, 0, walker.lock, walker.lockMode);
    machine.block(walker);
  }
}
