import { LOCK_MODE } from '@s2lab/events';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/**
 * A read-write lock (design row D5): everything but the unlinking of tables runs on the read side, in parallel; a fault that finds a table
 * where it wants a block comes back on the write side, alone, and frees the sub-tree at once. Nothing is ever pending.
 * @source kernel-list thread of April 2022, "KVM: arm64: Tear down unlinked page tables in parallel walk"
 */
export const rwlock: ReclaimPolicy = {
  name: 'rwlock',
  summary: 'shared walks on the read side of a lock; a collapse takes the write side and frees at once',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: false },
  faultLock: LOCK_MODE.read,
  stateWords: () => 0,
  guardsWalks: false,
  tracksTables: false,
  defersFrees: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  descend: () => HOOK.done,
  ascend: () => HOOK.done,
  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,
  mayReclaim: () => HOOK.done,
};
