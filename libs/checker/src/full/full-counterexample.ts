import type { Machine } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { actorName } from './actor-names.ts';

/** What went wrong: a broken rule, or actors that wait for ever. */
export interface FullCounterexample {
  readonly kind: 'violation' | 'deadlock' | 'livelock' | 'found';
  /** Invariant broken; null for a deadlock. */
  readonly invariant: string | null;
  readonly because: string;
  /** Choices of the search: an actor each. */
  readonly schedule: readonly number[];
  /** Choices at the end of the schedule that come again and again; only of a livelock. */
  readonly loop?: number;
  /** Steps that the machine made by them. */
  readonly steps: number;
  /** The log of it, from the start of the machine on. */
  readonly frame: Frame;
}

/**
 * Why a machine in which nobody can step and not all are done is deadlocked, in words.
 * @param who each of its actors is to the reader
 */
export function deadlockWords({ walkers, world }: Machine, who: (actor: number) => number): string {
  const waiting = walkers.filter(({ blocked }) => blocked !== 0).map(({ actor }) => actorName(who(actor), world.vcpus));
  return `nobody can step: ${waiting.join(', ')} ${waiting.length === 1 ? 'waits' : 'wait'} for ever`;
}
