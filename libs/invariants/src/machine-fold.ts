import type { EventRows, FrameOrigin } from '@s2lab/events';
import { K, MEMORY } from '@s2lab/events';
import type { Explanation, Registrar, Rule } from './rule.ts';
import type { Handler } from './shadow/event-cursor.ts';
import { EventCursor, WINDOW_ROWS } from './shadow/event-cursor.ts';
import { LastTables } from './shadow/last-tables.ts';
import { CLOSING, World } from './shadow/world.ts';
import { impossibleStart, notStarted } from './rules/i17-log-order.ts';
import type { Violation } from './verdict.ts';
import { showCommand } from './verdict.ts';
import { eventWords } from './event-words.ts';

const KIND_CODES = 256;

/** Rows folded at a time: so few that what folds them is called often and soon compiled, also in a short log. */
const STRIDE = 512;

/** No rule looks at a kind. */
const NONE: Handler[] = [];

/** Puts `handler` behind the others of `kind`; kinds without any share one list. */
function add(handlers: Handler[][], kind: number, handler: Handler): void {
  handlers[kind] = [...handlers[kind]!, handler];
}

/** Where violations of all machines are collected: exact counts, and the first ones with their proofs. */
export interface Ledger {
  readonly violations: Violation[];
  readonly counts: Map<string, number>;
  readonly maxViolations: number;
  /** The log, as the commands that show a violation name it. */
  readonly log: string;
}

/** What a fold has come to. */
export interface MachineState {
  readonly origin: FrameOrigin;
  readonly events: number;
  readonly violations: number;
  readonly stopped: boolean;
  readonly blind: boolean;
  readonly world: World | undefined;
  /** What each rule keeps, by its id. */
  readonly kept: Record<string, object[]>;
}

/**
 * Fold of one machine: its shadow world and the rules attached to it. Folding a row allocates nothing.
 * It starts at `machine-started`; a log that begins otherwise, or has a gap, is counted but not judged any further, because a
 * shadow that missed a write would accuse the innocent.
 */
export class MachineFold {
  readonly origin: FrameOrigin;
  events = 0;
  violations = 0;
  stopped = false;
  /** The rest of the machine's events cannot be judged. */
  blind = false;
  world: World | undefined = undefined;
  private readonly cursor = new EventCursor();
  private readonly rules: readonly Rule[];
  private readonly ledger: Ledger;
  /** By kind: what its events are shown to, in this order: rules while the world is as it was, the world, rules. */
  private readonly steps: Handler[][] = new Array<Handler[]>(KIND_CODES).fill(NONE);
  /** By kind: 1 = no rule looks at it and the world keeps nothing of it. */
  private readonly quiet = new Uint8Array(KIND_CODES);
  private readonly lastTables = new LastTables();
  private readonly atIdle: Handler[] = [];
  private readonly atDisorder: Handler[] = [];
  private readonly atDisagreement: Handler[] = [];
  /** What each rule keeps, in the order of its calls. */
  private kept: Record<string, object[]> = {};

  /** @param rules those to check; the order is the order in which they see an event */
  constructor(origin: FrameOrigin, rules: readonly Rule[], ledger: Ledger) {
    this.origin = origin;
    this.rules = rules;
    this.ledger = ledger;
  }

  /** Folds consecutive events, the first of which is number `firstSeq`. */
  fold(rows: EventRows, firstSeq: number): void {
    let from = 0;
    if (this.world === undefined && !this.blind && rows.length > 0) from = this.start(rows, firstSeq);
    this.events += rows.length;
    const world = this.world;
    if (this.blind || world === undefined) return;
    const end = this.stopped ? from : endOfLife(rows);
    for (let at = from; at < rows.length;) {
      const to = Math.min(at + WINDOW_ROWS, at < end ? end : rows.length);
      this.cursor.open(rows, at, to, firstSeq + at);
      if (at < end) this.foldWindow(world, to - at);
      else this.foldDisordered(world, 0, to - at);
      at = to;
    }
  }

  /** Folds the first `count` rows of the window, of which only the last may be machine-stopped. */
  private foldWindow(world: World, count: number): void {
    for (let at = 0; at < count; at += STRIDE) this.foldStride(world, at, Math.min(at + STRIDE, count));
  }

  private foldStride(world: World, from: number, to: number): void {
    const { actors } = world;
    const ordered = this.cursor.advance(actors, from, to);
    this.lastTables.see(actors.count);
    for (let i = from; i < ordered; i++) this.foldRow(world, i);
    this.foldDisordered(world, ordered, to);
  }

  /** Folds rows `from` to `to` - 1 of the window, which may go back in time or follow machine-stopped. */
  private foldDisordered(world: World, from: number, to: number): void {
    const { cursor } = this;
    const { actors } = world;
    for (let i = from; i < to; i++) {
      cursor.row = i;
      const { actor, at } = cursor;
      actors.see(actor);
      this.lastTables.see(actors.count);
      if (this.stopped || at < actors.lastAt[actor]!) this.call(this.atDisorder);
      actors.lastAt[actor] = at;
      this.foldRow(world, i);
    }
  }

  /** Folds row `i` of the window. */
  private foldRow(world: World, i: number): void {
    const { cursor, lastTables } = this;
    cursor.row = i;
    const { kind } = cursor;
    if (this.quiet[kind] === 1) return;
    const isRead = kind === K.descriptorRead;
    if (isRead && lastTables.readsOn(world, cursor)) return;
    const { violations } = this;
    if (kind >= K.descriptorRead && kind <= K.referenceRead && !world.aim(cursor) && !world.mayDiffer(cursor))
      this.call(this.atDisagreement);
    this.call(this.steps[kind]!);
    if (isRead && violations === this.violations && cursor.place >= 0) lastTables.remember(world, cursor);
    else lastTables.forget(cursor.actor);
  }

  private call(handlers: readonly Handler[]): void {
    const { cursor } = this;
    for (let k = 0; k < handlers.length; k++) {
      const handler = handlers[k]!; // Called without the array as its receiver.
      handler(cursor);
    }
  }

  /** Tells a violation of `rule` at event `seq` that no handler sees, such as a gap. */
  accuse(rule: string, seq: number, explanation: Explanation): void {
    if (!this.rules.some((known) => known.id === rule)) return;
    this.count(rule);
    if (this.ledger.violations.length >= this.ledger.maxViolations) return;
    this.keep(rule, seq, explanation);
  }

  /** Everything that a fold which goes on needs, as objects that are still in use: to be encoded at once. */
  state(): MachineState {
    const { origin, events, violations, stopped, blind, world, kept } = this;
    return { origin, events, violations, stopped, blind, world, kept };
  }

  /** Goes on from a state, which it takes over. To be called on a new fold. */
  resume(state: MachineState): void {
    this.events = state.events;
    this.violations = state.violations;
    this.stopped = state.stopped;
    this.blind = state.blind;
    this.kept = state.kept;
    if (state.world !== undefined) this.attachRules(state.world);
  }

  /** Goes back to a state of its own, whose world and what rules keep are as they were then. */
  rewind({ events, violations, stopped, blind, world }: MachineState): void {
    this.events = events;
    this.violations = violations;
    this.stopped = stopped;
    this.blind = blind;
    this.world = world;
    this.lastTables.forgetAll();
  }

  private start(rows: EventRows, firstSeq: number): number {
    this.cursor.open(rows, 0, 1, firstSeq);
    const pageShift = this.cursor.aux;
    const indexBits = this.cursor.slot;
    const possible = (pageShift === 12 || pageShift === 14 || pageShift === 16) && indexBits <= pageShift - 3;
    if (this.cursor.kind !== K.machineStarted || !possible) {
      this.blind = true;
      const words = eventWords(this.cursor, 0);
      this.accuse(
        'I17',
        firstSeq,
        this.cursor.kind === K.machineStarted ? impossibleStart(firstSeq, words, pageShift, indexBits) : notStarted(firstSeq, words),
      );
      return 0;
    }
    const world = new World(this.cursor.arg, pageShift, indexBits);
    world.readsWhatIsStored = this.cursor.level === MEMORY.sc;
    world.actors.see(this.cursor.actor);
    this.attachRules(world);
    return 1;
  }

  private attachRules(world: World): void {
    this.world = world;
    const { steps } = this;
    const after = new Array<Handler[]>(KIND_CODES).fill(NONE);
    const on: Registrar = {
      before: (kinds, handler) => {
        if (kinds.includes(K.descriptorRead)) throw new TypeError('a rule sees descriptor-read by Registrar.reads only');
        for (const kind of kinds) add(steps, kind, handler);
      },
      reads: (handler) => {
        add(steps, K.descriptorRead, handler);
      },
      after: (kinds, handler) => {
        for (const kind of kinds) add(after, kind, handler);
      },
      disorder: (handler) => {
        this.atDisorder.push(handler);
      },
      disagreement: (handler) => {
        this.atDisagreement.push(handler);
      },
      idle: (handler) => {
        this.atIdle.push(handler);
      },
    };
    for (const rule of this.rules) {
      const found = this.kept[rule.id] ?? [];
      const own: object[] = [];
      this.kept[rule.id] = own;
      rule.attach({
        on,
        world,
        origin: this.origin,
        report: (_, explain) => this.report(rule.id, explain),
        keep: (initial) => {
          const state = (found[own.length] as ReturnType<typeof initial> | undefined) ?? initial();
          own.push(state);
          return state;
        },
      });
    }
    const evolvers = world.evolvers();
    for (let kind = 0; kind < KIND_CODES; kind++) {
      const evolver = evolvers[kind];
      if (evolver !== undefined) add(steps, kind, evolver);
      for (const handler of after[kind]!) add(steps, kind, handler);
      if (CLOSING.includes(kind))
        add(steps, kind, (e) => {
          if (world.actors.idle(e.actor)) this.call(this.atIdle);
        });
      const aimed = kind >= K.descriptorRead && kind <= K.referenceRead;
      this.quiet[kind] = aimed || steps[kind]!.length > 0 ? 0 : 1;
    }
    add(steps, K.machineStopped, () => {
      this.stopped = true;
    });
    this.quiet[K.machineStopped] = 0;
  }

  /** Tells a violation at the event under the cursor. */
  private report(rule: string, explain: () => Explanation): void {
    const e = this.cursor;
    this.count(rule);
    if (this.ledger.violations.length >= this.ledger.maxViolations) return;
    const { because, witness } = explain();
    const last = { seq: e.seq, text: eventWords(e, this.world!.vcpus) };
    this.keep(rule, e.seq, { because, witness: [...witness.filter((line) => line.seq !== e.seq), last] });
  }

  private keep(invariant: string, seq: number, { because, witness }: Explanation): void {
    const { run, machine } = this.origin;
    this.ledger.violations.push({ invariant, run, machine, seq, because, witness, show: showCommand(this.ledger.log, machine, seq) });
  }

  private count(rule: string): void {
    this.violations += 1;
    this.ledger.counts.set(rule, (this.ledger.counts.get(rule) ?? 0) + 1);
  }
}

/** How many rows there are up to machine-stopped, which is counted too. */
function endOfLife({ kind, length }: EventRows): number {
  const stop = kind.indexOf(K.machineStopped);
  return stop < 0 || stop >= length ? length : stop + 1;
}
