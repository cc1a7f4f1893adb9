import type { FrameOrigin } from '@s2lab/events';
import type { EventCursor, Handler } from './shadow/event-cursor.ts';
import type { World } from './shadow/world.ts';
import type { WitnessLine } from './verdict.ts';

/** What a rule may look at of a descriptor read: who walks, and where. */
export type ReadEvent = Pick<EventCursor, 'seq' | 'actor' | 'stage2' | 'table' | 'place'>;

/** Why something is a violation: one sentence, and the events that prove it besides the one under the fold, oldest first. */
export interface Explanation {
  readonly because: string;
  readonly witness: readonly WitnessLine[];
}

/** Tells a violation at the event under the fold. `explain` runs only when the violation is kept, not when it is only counted. */
type Report = (e: ReadEvent, explain: () => Explanation) => void;

/** Where a rule says which events it wants to see. */
export interface Registrar {
  /** Sees events of `kinds` (codes, all but descriptor-read) while the world is still as it was before them. */
  before(kinds: readonly number[], handler: Handler): void;
  /**
   * Sees descriptor reads of walkers. They are nearly half of all events, and most of them follow one of the same walker in the same table; so the
   * handler keeps no state, and what it has to say follows from what the walker did itself and from which tables there are and how they hang. It
   * sees one read for all that follow it in the table while neither changes.
   */
  reads(handler: (e: ReadEvent) => void): void;
  /** Sees events of `kinds` when the world has folded them in. */
  after(kinds: readonly number[], handler: Handler): void;
  /** Sees, before the world has folded it in, an event that follows `machine-stopped` or whose time is before that of its actor's last one. */
  disorder(handler: Handler): void;
  /** Sees a descriptor event that names no slot of a live table, or that says the slot held something else than the world has there. */
  disagreement(handler: Handler): void;
  /** Sees the event that left its actor with no walk, fault, operation or reclaim open: what it owed must be done. */
  idle(handler: Handler): void;
}

/** Everything a rule is given when a machine starts. */
export interface RuleSite {
  readonly on: Registrar;
  readonly world: World;
  readonly report: Report;
  readonly origin: FrameOrigin;
  /**
   * State of the rule’s own: what `initial` makes, or, when judging goes on from a snapshot, what was kept of it. All that a rule remembers
   * between events must be in such an object; a snapshot holds nothing else. Called in the same order each time.
   */
  keep<S extends object>(this: void, initial: () => S): S;
}

/** One invariant. `attach` is called once per machine and registers its handlers; what they remember is in objects of `keep`. */
export interface Rule {
  readonly id: string;
  readonly name: string;
  /** What must hold, in one or two sentences. */
  readonly prose: string;
  /** Where the rule comes from: Arm ARM section, kernel function. */
  readonly source: string;
  /** The state it keeps. */
  readonly state: string;
  attach(site: RuleSite): void;
}
