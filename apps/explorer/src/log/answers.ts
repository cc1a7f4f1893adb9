import type { Verdict, Violation } from '@s2lab/invariants';
import type { Stage2StateJson } from '@s2lab/stage2-map';
import type { LoggedMachine, Overview } from '@s2lab/survey';
import type { DescriptorWords, PendingFree, TableNode } from '@s2lab/timeline';

/*
 * What travels between a log and the page that shows it: plain JSON, over HTTP or from a worker of the page itself.
 */

/** A log as a whole. */
export interface LogAbout {
  /** Path or name of the file. */
  readonly name: string;
  readonly bytes: number;
  /** A writer still adds to it. */
  readonly growing: boolean;
  readonly machines: readonly LoggedMachine[];
  /** How far the pass over the log has come that judges its events and makes its overview. */
  readonly survey: { readonly events: number; readonly of: number; readonly complete: boolean };
  /** On what was surveyed so far; its violations are in `violations`. */
  readonly verdict: Omit<Verdict, 'violations'>;
  /** Those kept with their proofs. */
  readonly violations: readonly Violation[];
}

/** Which machine a question is about. */
export interface MachineQuestion {
  readonly machine: number;
  /** Run, when the log holds several. */
  readonly run?: string | undefined;
}

/** An actor at one moment. */
interface ActorState {
  readonly actor: number;
  readonly name: string;
  /** What it is doing, in words. */
  readonly text: string;
}

/** The event of a moment, and what it wrote. */
export interface StepText {
  readonly seq: number;
  /** Virtual time, ns. */
  readonly at: number;
  readonly actor: number;
  readonly who: string;
  readonly kind: string;
  /** Kind and fields. */
  readonly text: string;
  /** Walk, fault or operation it belongs to, in words. */
  readonly why: string;
}

/** A descriptor and how an event changed it. */
export interface SlotChange {
  readonly table: number;
  readonly slot: number;
  readonly level: number;
  readonly ipa: number;
  readonly before: DescriptorWords;
  readonly after: DescriptorWords;
}

/** The question for a machine just after an event. */
export interface MomentQuestion extends MachineQuestion {
  readonly seq: number;
  /** Stage-2 of the map, by VMID; absent = the one that the event is about. */
  readonly vmid?: number | undefined;
  /** Part of the input address space for the map, bytes; absent = all of it. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Tables that the tree shows opened. */
  readonly open: readonly number[];
  /** The asker has the map of this part of this stage-2 (`mapVmid`) as it was after this event: where nothing has changed, it is not sent again. */
  readonly mapSeq?: number | undefined;
  readonly mapVmid?: number | undefined;
}

/** The question for a machine after each of several events that follow each other: `seq` is the first. */
export interface MomentsQuestion extends MomentQuestion {
  /** How many; fewer are answered at the end of the log, and where more are asked for than one answer holds. */
  readonly count: number;
}

/** A machine just after an event. */
export interface Moment {
  readonly seq: number;
  readonly event: StepText;
  /** The slot that the event wrote; null when it wrote none. */
  readonly change: SlotChange | null;
  /** Table that the event is about (allocated, linked, freed …); null when about none. */
  readonly table: number | null;
  readonly actors: readonly ActorState[];
  /** Tables, lock and grace period, in words. */
  readonly figures: readonly string[];
  readonly pending: readonly PendingFree[];
  /** VMIDs of all stage-2s, and of the one on the map. */
  readonly stage2s: readonly number[];
  readonly vmid: number | null;
  readonly map: Stage2StateJson;
  /** The map’s levels are those that the asker has, or those of the moment before in the same answer, and left out here. */
  readonly sameLevels: boolean;
  readonly tree: readonly TableNode[];
}

/** The question for the events [from, to). */
export interface WindowQuestion extends MachineQuestion {
  readonly from: number;
  readonly to: number;
}

/** What an actor was in for some events. */
export type SpanKind = 'walk' | 'fault' | 'operation' | 'reclaim' | 'section' | 'lock' | 'wait';

/** From event `from` to event `to`; the ends of the window where it goes beyond. */
export interface ActorSpan {
  readonly actor: number;
  readonly kind: SpanKind;
  readonly from: number;
  readonly to: number;
}

/** Events as columns: row i is event `from` + i. */
export interface EventWindow {
  readonly from: number;
  readonly kind: readonly number[];
  readonly actor: readonly number[];
  /** -1 where the kind has no table. */
  readonly table: readonly number[];
  readonly at: readonly number[];
  readonly text: readonly string[];
  /** Names of actors by number. */
  readonly actors: readonly string[];
  readonly spans: readonly ActorSpan[];
}

/** What to look for: all of what is given must hold. */
export interface FindQuestion extends MachineQuestion {
  /** First event looked at; then onwards or backwards. */
  readonly from: number;
  readonly backwards: boolean;
  readonly actor?: number | undefined;
  /** A write to this descriptor. */
  readonly slot?: { readonly table: number; readonly slot: number } | undefined;
  /** Clauses as those of `s2lab bisect --where`. */
  readonly where?: string | undefined;
}

/** Found, or not in the events that one question looks through: then where to go on, or nowhere. */
export interface Found {
  readonly seq: number | null;
  readonly goOn: number | null;
}

/** Questions by name, with what they ask and what is answered. */
export interface Questions {
  readonly about: { readonly ask: Readonly<Record<never, never>>; readonly answer: LogAbout };
  readonly overview: { readonly ask: MachineQuestion; readonly answer: Overview | null };
  readonly moment: { readonly ask: MomentQuestion; readonly answer: Moment };
  readonly moments: { readonly ask: MomentsQuestion; readonly answer: readonly Moment[] };
  readonly window: { readonly ask: WindowQuestion; readonly answer: EventWindow };
  readonly find: { readonly ask: FindQuestion; readonly answer: Found };
}

/** Whoever answers questions about a log. */
export interface LogOracle {
  /** @throws Error with one line for people */
  ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']>;
}
