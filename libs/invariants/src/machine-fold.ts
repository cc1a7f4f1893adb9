import type { EventRows, FrameOrigin } from '@s2lab/events';
import { isTable } from '@s2lab/arch';
import { K, MEMORY } from '@s2lab/events';
import type { Explanation, Handler, Registrar, Rule } from './rule.ts';
import { EventCursor } from './shadow/event-cursor.ts';
import { CLOSING, EVOLVERS, World } from './shadow/world.ts';
import { impossibleStart, notStarted } from './rules/i17-log-order.ts';
import type { Violation } from './verdict.ts';
import { showCommand } from './verdict.ts';
import { eventWords } from './event-words.ts';

const KIND_CODES = 256;
const TWO_32 = 0x1_0000_0000;

/** By kind: 1 = one of CLOSING. */
const closing = Uint8Array.from({ length: KIND_CODES }, (_, kind) => (CLOSING.includes(kind) ? 1 : 0));

/** No rule looks at a kind. */
const NONE: Handler[] = [];

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
  private readonly before = new Array<Handler[]>(KIND_CODES).fill(NONE);
  private readonly after = new Array<Handler[]>(KIND_CODES).fill(NONE);
  /** By kind: 1 = no rule looks at it and the world keeps nothing of it. */
  private readonly quiet = new Uint8Array(KIND_CODES);
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
    const { cursor, quiet } = this;
    const { actors } = world;
    const { kind: kinds, actor: actorColumn, at: times } = rows;
    const length = rows.length;
    cursor.open(rows);
    for (let i = from; i < length; i++) {
      const kind = kinds[i]!;
      const actor = actorColumn[i]!;
      if (actor >= actors.count) actors.see(actor);
      const at = times[2 * i + 1]! * TWO_32 + times[2 * i]!;
      const ordered = at >= actors.lastAt[actor]! && !this.stopped;
      if (!ordered || quiet[kind] === 0) cursor.load(i, firstSeq + i);
      if (!ordered) this.call(this.atDisorder);
      actors.lastAt[actor] = at;
      if (quiet[kind] === 1) continue;
      if (kind !== K.descriptorRead) this.foldRow(world, kind);
      else if (this.foldRead(world) && ordered) i = this.skipReads(world, i);
      if (kind === K.machineStopped) this.stopped = true;
    }
  }

  /** Folds the event under the cursor. */
  private foldRow(world: World, kind: number): void {
    const { cursor } = this;
    if (kind >= K.descriptorRead && kind <= K.referenceRead && !world.aim(cursor) && !world.mayDiffer(cursor))
      this.call(this.atDisagreement);
    this.call(this.before[kind]!);
    const evolve = EVOLVERS[kind];
    if (evolve !== undefined) evolve(world, cursor);
    this.call(this.after[kind]!);
    if (closing[kind] === 1 && world.actors.idle(cursor.actor)) this.call(this.atIdle);
  }

  /** Folds the descriptor read under the cursor. Returns whether no rule had anything to say and it leads to no other table. */
  private foldRead(world: World): boolean {
    const { cursor, violations } = this;
    this.foldRow(world, K.descriptorRead);
    return violations === this.violations && !world.leadsOn(cursor);
  }

  /**
   * Goes over the reads after row `i` that say nothing new: of the same walker in the same table, each finding what the shadow has there, a
   * descriptor that leads to no table. Walks over ranges are such runs. What a rule may look at of a read is the same for all of them
   * (`Registrar.reads`), so none has anything to say. Returns the last row of the run.
   */
  private skipReads(world: World, i: number): number {
    const { rows, actor, table, stage2, place } = this.cursor;
    const { kind, actor: actorColumn, table: tableColumn, stage2: stage2Column, slot, old, at } = rows;
    const { tables } = world;
    const words = tables.descriptors[place]!;
    const level = tables.level[place]!;
    const { lastAt } = world.actors;
    let last = lastAt[actor]!;
    let next = i + 1;
    for (; next < rows.length; next++) {
      if (kind[next] !== K.descriptorRead || actorColumn[next] !== actor || tableColumn[next] !== table) break;
      const j = 2 * slot[next]!;
      const lo = old[2 * next]! | 0;
      if (words[j] !== lo || words[j + 1] !== (old[2 * next + 1]! | 0) || isTable(lo, level) || stage2Column[next] !== stage2) break;
      const now = at[2 * next + 1]! * TWO_32 + at[2 * next]!;
      if (now < last) break;
      last = now;
    }
    lastAt[actor] = last;
    return next - 1;
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
        if (kinds.includes(K.descriptorRead)) throw new TypeError('a rule sees descriptor-read by Registrar.reads only');
        for (const kind of kinds) this.before[kind] = [...this.before[kind]!, handler];
      },
      reads: (handler) => {
        this.before[K.descriptorRead] = [...this.before[K.descriptorRead]!, handler];
      },
      after: (kinds, handler) => {
        for (const kind of kinds) this.after[kind] = [...this.after[kind]!, handler];
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
    for (let kind = 0; kind < KIND_CODES; kind++) {
      const aimed = kind >= K.descriptorRead && kind <= K.referenceRead;
      const seen = aimed || this.before[kind]!.length > 0 || this.after[kind]!.length > 0 || EVOLVERS[kind] !== undefined;
      this.quiet[kind] = seen || kind === K.machineStopped ? 0 : 1;
    }
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
