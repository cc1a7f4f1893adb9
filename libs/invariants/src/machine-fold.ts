import type { EventRows, FrameOrigin } from '@s2lab/events';
import { K, MEMORY } from '@s2lab/events';
import type { Explanation, Handler, Registrar, Rule } from './rule.ts';
import { EventCursor } from './shadow/event-cursor.ts';
import { World } from './shadow/world.ts';
import { impossibleStart, notStarted } from './rules/i17-log-order.ts';
import type { Violation } from './verdict.ts';
import { showCommand } from './verdict.ts';
import { eventWords } from './words.ts';

const KIND_CODES = 256;

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
  private readonly before: Handler[][] = [];
  private readonly after: Handler[][] = [];
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
    for (let kind = 0; kind < KIND_CODES; kind++) {
      this.before.push([]);
      this.after.push([]);
    }
  }

  /** Folds consecutive events, the first of which is number `firstSeq`. */
  fold(rows: EventRows, firstSeq: number): void {
    let from = 0;
    if (this.world === undefined && !this.blind && rows.length > 0) from = this.start(rows, firstSeq);
    this.events += rows.length;
    const world = this.world;
    if (this.blind || world === undefined) return;
    const cursor = this.cursor;
    const { before, after, atIdle } = this;
    const actors = world.actors;
    const length = rows.length;
    cursor.open(rows);
    for (let i = from; i < length; i++) {
      cursor.load(i, firstSeq + i);
      if (cursor.actor >= actors.count) actors.see(cursor.actor);
      const kind = cursor.kind;
      const at = cursor.at;
      if (at < actors.lastAt[cursor.actor]! || this.stopped) for (const handler of this.atDisorder) handler(cursor);
      actors.lastAt[cursor.actor] = at;
      if (kind >= K.descriptorRead && kind <= K.referenceRead && !world.aim(cursor) && !world.mayDiffer(cursor))
        for (const handler of this.atDisagreement) handler(cursor);
      const first = before[kind]!;
      for (let k = 0; k < first.length; k++) first[k]!(cursor);
      const idle = world.evolve(cursor);
      const second = after[kind]!;
      for (let k = 0; k < second.length; k++) second[k]!(cursor);
      if (idle) for (let k = 0; k < atIdle.length; k++) atIdle[k]!(cursor);
      if (kind === K.machineStopped) this.stopped = true;
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

  private start(rows: EventRows, firstSeq: number): number {
    this.cursor.open(rows);
    this.cursor.load(0, firstSeq);
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
    const on: Registrar = {
      before: (kinds, handler) => {
        for (const kind of kinds) this.before[kind]!.push(handler);
      },
      after: (kinds, handler) => {
        for (const kind of kinds) this.after[kind]!.push(handler);
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
        report: (e, explain) => this.report(rule.id, e, explain),
        keep: (initial) => {
          const state = (found[own.length] as ReturnType<typeof initial> | undefined) ?? initial();
          own.push(state);
          return state;
        },
      });
    }
  }

  private report(rule: string, e: EventCursor, explain: () => Explanation): void {
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
