import { LOCK_MODE } from '@s2lab/events';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/**
 * What KVM did before parallel faults: every walk holds the lock for write and is alone. A collapse clears the table, flushes the whole VMID,
 * drops the references below it on the way down, frees the tables on the way back and installs the block last. Nothing is ever pending.
 * @source Linux 6.1 arch/arm64/kvm/hyp/pgtable.c stage2_map_walker(); docs/adr/0013
 */
export const v61: ReclaimPolicy = {
  name: 'v6.1',
  summary: 'every walk alone under the write lock; a collapse tears its sub-tree down within the walk (KVM up to 6.1)',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: false },
  faultLock: LOCK_MODE.write,
  visitors: 'v6.1',
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
