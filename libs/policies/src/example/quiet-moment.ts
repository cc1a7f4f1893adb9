import { K, LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Walker } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';

/** Words of the policy: how many walkers are inside the tables, and whether the reclaim worker waits for them. */
const INSIDE = 0;
const WAITS = 1;

/** Frees a retired sub-tree at a moment when no walker at all is inside: one counter, no RCU. Under load that moment may not come. */
export const quietMoment: ReclaimPolicy = {
  name: 'quiet-moment',
  summary: 'one counter of walkers; a retired sub-tree is freed when it is zero',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: () => 2,

  guardsWalks: true,
  enter(machine: PolicyMachine, walker: Walker): number {
    machine.policyWords(walker)[INSIDE]! += 1;
    machine.note(walker, K.readSectionEntered, 0, 0, 0);
    return HOOK.done;
  },
  exit(machine: PolicyMachine, walker: Walker): number {
    const words = machine.policyWords(walker);
    words[INSIDE]! -= 1;
    machine.note(walker, K.readSectionLeft, 0, 0, 0);
    if (words[INSIDE] === 0 && words[WAITS] === 1) {
      words[WAITS] = 0;
      machine.wake(machine.reclaimActor);
    }
    return HOOK.done;
  },

  tracksTables: false,
  descend: () => HOOK.done,
  ascend: () => HOOK.done,

  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,
  defersFrees: true,
  mayReclaim(machine: PolicyMachine, worker: Walker): number {
    const words = machine.policyWords(worker);
    if (words[INSIDE] === 0) return HOOK.done;
    words[WAITS] = 1;
    return HOOK.wait;
  },
};
