import type { KnownCounterexample } from './fewer-choices.ts';
import type { FullReduction } from './reductions.ts';

/**
 * Which states come first: those the fewest choices away, those found last, or those that the fewest preemptions lead to. A preemption takes
 * the turn from an actor that could go on; most defects need only a few.
 * @source M. Musuvathi, S. Qadeer, "Iterative context bounding for systematic testing of multithreaded programs", PLDI 2007
 */
export type FullOrder = 'bfs' | 'dfs' | 'preemptions';

/** How to search the schedules of a machine. */
export interface FullSearchOptions {
  readonly order: FullOrder;
  /** What need not be seen. */
  readonly reduce: readonly FullReduction[];
  /** Bytes that stored states may take. */
  readonly maxBytes: number;
  /** Ids of rules that are not judged. */
  readonly except?: readonly string[];
  /** Kind of event to look for: the search ends where one is made. */
  readonly find?: number;
  /** Most states to store; absent = no limit but memory. */
  readonly maxStates?: number;
  /** Order `bfs`: only what breaks the same rule by no more choices is looked for. */
  readonly known?: KnownCounterexample | undefined;
}
