import { LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Walker } from '@s2lab/engine';
import { FRAME, HOOK } from '@s2lab/engine';

/**
 * References as the thread has them (design row D4, "not sure how to make this race-safe"): a walker takes one on each table page after it
 * has read the link, and drops it on its way back; who unlinks drops the link's; who drops the last one frees. UNSAFE: the page can be freed
 * between the read of the link and the reference. Kept to show that race.
 * @source kernel-list thread of April 2022, "KVM: arm64: Tear down unlinked page tables in parallel walk"
 */
export const refsNaive: ReclaimPolicy = {
  name: 'refs-naive',
  summary: 'UNSAFE, shows the race: a reference on each table on the way down, taken after its link was read; the last one out frees',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: () => 0,
  guardsWalks: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  tracksTables: true,

  descend(machine: PolicyMachine, walker: Walker, table: number): number {
    machine.getHolder(walker, table);
    return HOOK.done;
  },

  ascend(machine: PolicyMachine, walker: Walker, table: number): number {
    if (machine.putHolder(walker, table, 0) !== 0) return HOOK.done;
    const { pages } = machine.world;
    // The last one out frees, whatever the page has become meanwhile.
    if (pages.state[table] === FRAME.live) return HOOK.reclaim;
    machine.freeTable(walker, table, walker.level);
    return HOOK.done;
  },

  unlinked(machine: PolicyMachine, walker: Walker, table: number): number {
    return machine.putHolder(walker, table, 1) > 0 ? HOOK.held : HOOK.done;
  },

  countsHolders: false,
  locksTeardown: false,
  defersFrees: false,
  mayReclaim: () => HOOK.done,
};
