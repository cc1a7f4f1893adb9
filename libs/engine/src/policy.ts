import type { Machine } from './machine.ts';
import type { Walker } from './walker.ts';

/** What a policy's hook did: it is done, it needs another step, the walk must start anew, or the actor must wait. */
export const HOOK = { done: 0, again: 1, restart: 2, wait: 3 } as const;

/** What a policy needs and allows. A machine that cannot give it refuses the policy by name. */
export interface PolicyCapabilities {
  /** Needs RCU, which does not exist at EL2. */
  readonly needsRcu: boolean;
  readonly usableAtEl2: boolean;
  /** Other walkers may be inside the tables while a sub-tree is collapsed. */
  readonly collapsesInParallel: boolean;
}

/**
 * When may an unlinked table be freed? The one question in which the designs differ; everything else is the one walker.
 * Each hook makes at most one shared-memory access a call, through `machine.commit`, so that the scheduler can interleave between calls.
 * State of a policy lives in the machine (`machine.policyWords`) and in the world (sections, retired queue, grace periods).
 */
export interface ReclaimPolicy {
  readonly name: string;
  /** One line for `s2lab policies`. */
  readonly summary: string;
  readonly capabilities: PolicyCapabilities;
  /** LOCK_MODE in which a guest fault holds the mmu lock, 0 = none. */
  readonly faultLock: number;
  /** Visitors of an older page-table library that the design belongs to; absent = today's. Walks are then never shared. */
  readonly visitors?: 'v6.1';
  /** Words of its own that the policy needs for `actors` actors. */
  stateWords(actors: number): number;
  /** Whether enter and exit do anything. */
  readonly guardsWalks: boolean;
  /** A shared walk begins. */
  enter(machine: Machine, walker: Walker): number;
  /** A shared walk ends. */
  exit(machine: Machine, walker: Walker): number;
  /** Whether descend and ascend do anything. */
  readonly tracksTables: boolean;
  /** A shared walk is about to read in `table`, whose link it has just read. */
  descend(machine: Machine, walker: Walker, table: number): number;
  /** A shared walk leaves `table`. */
  ascend(machine: Machine, walker: Walker, table: number): number;
  /** Whether an unlinked sub-tree is retired, to be freed by the reclaim worker; otherwise who unlinked it frees it at once. */
  readonly defersFrees: boolean;
  /** The reclaim worker asks whether the oldest retired sub-tree may be torn down now (HOOK.done), after more steps or a wait. */
  mayReclaim(machine: Machine, worker: Walker): number;
}
