import { LOCK_MODE } from '@s2lab/events';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/**
 * One spinlock around everything, what pKVM does today: no walk is shared, so nobody can be inside a sub-tree that is unlinked, and it is
 * freed at once.
 * @source Linux arch/arm64/kvm/hyp/nvhe/mem_protect.c host_lock_component(), guest_lock_component() (hyp_spin_lock)
 */
export const hypLock: ReclaimPolicy = {
  name: 'hyp-lock',
  summary: 'one lock around every walk, nothing in parallel; an unlinked sub-tree is freed at once (pKVM today)',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: false },
  faultLock: LOCK_MODE.write,
  stateWords: () => 0,
  guardsWalks: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  tracksTables: false,
  descend: () => HOOK.done,
  ascend: () => HOOK.done,
  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,
  defersFrees: false,
  mayReclaim: () => HOOK.done,
};
