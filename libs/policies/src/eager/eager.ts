import { LOCK_MODE } from '@s2lab/events';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/**
 * Eager teardown (design row D1): who unlinked a sub-tree tears it down at once, beside the walkers that may still be inside: each descriptor
 * is locked by compare-and-exchange, one that another walker has locked is waited for. UNSAFE as it stands: nothing keeps a page from being
 * freed under a walker that has read the link to it (docs/adr/0019).
 * @source Linux list, April 2022, "KVM: arm64: Tear down unlinked page tables in parallel walk"
 */
export const eager: ReclaimPolicy = {
  name: 'eager',
  summary: 'UNSAFE: who unlinks a sub-tree tears it down at once beside other walkers, locking each descriptor; the pages are not kept',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: () => 0,
  guardsWalks: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  tracksTables: false,
  descend: () => HOOK.done,
  ascend: () => HOOK.done,
  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: true,
  defersFrees: false,
  mayReclaim: () => HOOK.done,
};
