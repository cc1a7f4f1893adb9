import { K, LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Walker } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/**
 * RCU (design row D2), what KVM does since Linux 6.2: shared walks lie in a read-side section; an unlinked sub-tree is left untouched
 * until a grace period has passed, and is then torn down by a plain traversal.
 * @source Linux arch/arm64/kvm/mmu.c stage2_free_unlinked_table(); P. McKenney, "Is Parallel Programming Hard", ch. 9.5
 */
export const rcu: ReclaimPolicy = {
  name: 'rcu',
  summary: 'shared walks in RCU read-side sections; unlinked sub-trees are freed after a grace period (KVM since 6.2)',
  capabilities: { needsRcu: true, usableAtEl2: false, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: () => 0,
  guardsWalks: true,
  tracksTables: false,
  defersFrees: true,

  enter(machine: PolicyMachine, walker: Walker): number {
    machine.note(walker, K.readSectionEntered, 0, 0, 0);
    return HOOK.done;
  },

  exit(machine: PolicyMachine, walker: Walker): number {
    machine.note(walker, K.readSectionLeft, 0, 0, 0);
    const stage2 = machine.stage2(walker);
    if (stage2.gracePeriodOpen !== 0 && stage2.awaitedCount === 0) machine.wake(machine.reclaimActor);
    return HOOK.done;
  },

  descend: () => HOOK.done,
  ascend: () => HOOK.done,
  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,

  /** Only the beginning of a grace period looks at sections; its end wakes nobody, and who leaves the last section wakes the worker. */
  asksInPrivate(machine: PolicyMachine, worker: Walker): boolean {
    const stage2 = machine.stage2(worker);
    return stage2.gracePeriodOpen !== 0 || stage2.gracePeriod >= stage2.retired[stage2.retiredHead + 2]!;
  },

  /** Begins a grace period that covers the oldest retired sub-tree, waits for the sections it found open, ends it. */
  mayReclaim(machine: PolicyMachine, worker: Walker): number {
    const stage2 = machine.stage2(worker);
    const needed = stage2.retired[stage2.retiredHead + 2]!;
    if (stage2.gracePeriodOpen === 0) {
      if (stage2.gracePeriod >= needed) return HOOK.done;
      machine.note(worker, K.gracePeriodBegan, 0, stage2.gracePeriod + 1, 0);
      machine.spend(machine.config.costs.gracePeriodNs);
      return HOOK.again;
    }
    if (stage2.awaitedCount > 0) return HOOK.wait;
    machine.note(worker, K.gracePeriodEnded, 0, stage2.gracePeriod, 0);
    return HOOK.again;
  },
};
