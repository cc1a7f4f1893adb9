import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';

/** Options of a check on the full engine that goes on until it has its answer. */
export const UNLIMITED = {
  reduce: true,
  maxBytes: 2 ** 29,
  maxStates: Infinity,
  maxPreemptions: Infinity,
  except: [],
  liveness: false,
} as const;

/** The policy `refs`, but for what a walker does that is refused a reference: `then`, a HOOK, where it should begin anew. */
export function whereRefused(then: number): ReclaimPolicy {
  const refs = policyByName('refs');
  return {
    ...refs,
    descend(machine, walker, table) {
      const isRefused = machine.world.pages.holders[table] === 0;
      const outcome = refs.descend(machine, walker, table);
      return isRefused && outcome === HOOK.restart ? then : outcome;
    },
  };
}
