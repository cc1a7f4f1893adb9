import type { ReclaimPolicy } from '@s2lab/engine';
import { StateWords } from '@s2lab/engine';
import { StateStore } from '@s2lab/small-models';
import type { CanonicalForm } from '../full/canonical-form.ts';
import { advance } from '../full/choices.ts';
import { Exploration } from '../full/exploration.ts';
import type { KnownCounterexample } from '../full/fewer-choices.ts';
import { isSoonEnough } from '../full/fewer-choices.ts';
import type { FullCounterexample } from '../full/full-counterexample.ts';
import type { FullReduction } from '../full/reductions.ts';
import { InternedWords } from '../full/interned-words.ts';
import type { Judge } from '../full/judge.ts';
import type { MachineStates } from '../full/machine-states.ts';
import type { Setting } from '../full/subject.ts';
import { hearKey, keyFingerprint, PieceHearer, PieceTeller, rowFingerprint, tellKey } from './told-pieces.ts';

/** What one thread does of a search. */
export interface SharePlace {
  /** Which share this is, of how many. */
  readonly index: number;
  readonly count: number;
}

/** What the shares of a search agree on. */
export interface ShareOptions {
  /** Whether who had the turn is part of a state, as where preemptions are counted. */
  readonly turns: boolean;
  readonly reduce: readonly FullReduction[];
  /** Bytes that the stored states of one share may take. */
  readonly maxBytes: number;
  readonly except: readonly string[];
  /** Only what breaks the same rule by no more choices is looked for. */
  readonly known?: KnownCounterexample | undefined;
}

/** Steps from states of a share. */
export interface Expansion {
  /** What each share is told: states that these steps lead to, keys of steps. */
  readonly told: readonly Int32Array[];
  /** Of each state: how many steps lead on; 0 where all are done, STUCK where nobody can step but not all are, LATE where no step is made since too many choices led there. */
  readonly ready: Uint8Array;
  /** Orders of actors that were not known before, one behind the other. */
  readonly orders: Int32Array;
  /** What a step failed with that cannot be made: a rule was broken before, or the engine has a defect. */
  readonly threw: string | null;
}

/** What a share has decided on what it was told. */
export interface Settlement {
  /** SETTLED_WORDS of each state told: see `SETTLED`. */
  readonly states: Int32Array;
  /** Steps that no step so far counts as judged with. */
  readonly fresh: Int32Array;
  /** Whether there was no room for the states. */
  readonly full: boolean;
  readonly bytes: number;
}

/** What a share says of paths. */
export interface Judgement {
  /** Which of the paths is broken, the first of them by their numbers; -1 = none. */
  readonly broken: number;
  readonly found: FullCounterexample | null;
}

/** In `Expansion.ready`. */
export const STUCK = 255;
/** In the same place. */
const LATE = 254;
/** Choices that steps of one state are numbered in. */
export const CHOICES = 32;
/** Words of a state in `Settlement.states`. */
export const SETTLED_WORDS = 4;
/** The words: number of the step; number of the state in its share, complemented where it was there before; flags and order; who told it. */
export const SETTLED = { step: 0, state: 1, how: 2, teller: 3 } as const;
/** Flags of a step; the number of the order that its teller gives the actors comes above them. */
export const HOW = { preempts: 1, fresh: 2, orderShift: 2 } as const;
/** What a path is judged as: a step, the end of everybody, or where everybody waits. */
export const PATH = { step: 0, end: 1, stuck: 2 } as const;

const NOBODY = 0;
/** Added to twice the number of a step: it is told which state it leads to; else its key. */
const IS_STATE = 1;
/** The number of no piece: what the machine is in is not known. */
const UNKNOWN = 0xffff_ffff;

/**
 * One thread's share of a search: the states that fall to it by their fingerprints, and the keys of judged steps. It makes the steps from its
 * states and tells each share what falls to it; it decides what is new, in the order of the numbers of steps; it judges paths. All of that
 * depends on what it is asked alone, never on when.
 */
export class SearchShare {
  private readonly place: SharePlace;
  private readonly turns: boolean;
  private readonly known: KnownCounterexample | undefined;
  private readonly machine: Exploration;
  private readonly form: CanonicalForm;
  private readonly states: MachineStates;
  private readonly store: StateStore;
  private readonly judges: Judge;
  private readonly judgesOnce: boolean;
  /** Keys that fall to this share. */
  private readonly seen = new InternedWords();
  /** Keys that this share has told already. */
  private readonly noted = new InternedWords();
  private readonly key = new StateWords();
  private readonly row: Uint32Array;
  /** To and from each share, and the search that they are shares of. */
  private readonly tellers: readonly PieceTeller[];
  private readonly hearers: readonly PieceHearer[];
  private readonly outgoing: readonly StateWords[];
  private readonly incoming: readonly StateWords[];
  /** Orders of actors that the search knows. */
  private ordersTold: number;

  /** @throws RangeError when the machine cannot be built */
  constructor(setting: Setting, policy: ReclaimPolicy, workload: string, options: ShareOptions, place: SharePlace) {
    this.place = place;
    this.turns = options.turns;
    this.known = options.known;
    this.judgesOnce = options.reduce.includes('judge-once');
    this.machine = new Exploration(setting, policy, options.reduce, options.except);
    this.states = this.machine.states;
    this.form = this.machine.form;
    this.ordersTold = this.form.orders.length;
    this.judges = this.machine.judge(workload);
    this.row = new Uint32Array(this.states.words + 1);
    this.store = new StateStore(this.row.length, options.maxBytes);
    const partners = Array.from({ length: place.count + 1 }, (_, n) => n);
    this.tellers = partners.map(() => new PieceTeller(this.states));
    this.hearers = partners.map(() => new PieceHearer(this.states));
    this.outgoing = partners.map(() => new StateWords());
    this.incoming = partners.map(() => new StateWords());
    const { present } = this.states;
    if (rowFingerprint(this.states, present, 0) % place.count !== place.index) return;
    this.row.set(present);
    this.store.add(this.row, 0, 0);
  }

  private get bytes(): number {
    return this.store.bytes + this.states.bytes + this.seen.bytes + this.noted.bytes;
  }

  /**
   * Makes all steps from states of this share.
   * @param ids the states, in the order of their turns
   * @param turns of each, its turn among those of all shares: step `a` of it has number turn × CHOICES + a
   * @param globals of each, its number among the states of all shares
   * @param choices that lead to each
   */
  expand(ids: Int32Array, turns: Int32Array, globals: Int32Array, choices: Int32Array): Expansion {
    for (const words of this.outgoing) words.clear();
    for (const words of this.outgoing) words.put(0);
    const ready = new Uint8Array(ids.length);
    let threw: string | null = null;
    try {
      for (let n = 0; n < ids.length; n += 1) ready[n] = this.expandOne(ids[n]!, turns[n]! * CHOICES, globals[n]!, choices[n]!);
    } catch (error) {
      threw = (error as Error).message;
      // The machine stands in the middle of a step.
      this.states.present.fill(UNKNOWN);
    }
    const told = this.outgoing.slice(0, this.place.count).map((words) => words.copy());
    const { orders } = this.form;
    const fresh = Int32Array.from(orders.slice(this.ordersTold).flat());
    this.ordersTold = orders.length;
    return { told, ready, orders: fresh, threw };
  }

  /** Makes all steps from one state. Returns how many there are, STUCK or LATE. */
  private expandOne(id: number, firstStep: number, global: number, choices: number): number {
    const { states, store } = this;
    const { subject, stale, reduces } = this.machine;
    const { machine } = subject;
    const at = id * store.words;
    const last = store.data[at + states.words]!;
    states.load(store.data, at);
    let ready = 0;
    for (let actor = 0; actor < subject.choices; actor += 1) if (subject.isReady(actor)) ready |= 1 << actor;
    if (ready === 0) return machine.done ? 0 : STUCK;
    if (this.known !== undefined && !isSoonEnough(subject, this.known, global, choices)) return LATE;
    const goesOn = last !== NOBODY && (ready & (1 << (last - 1))) !== 0;
    let count = 0;
    for (let actor = 0; actor < subject.choices; actor += 1) {
      if ((ready & (1 << actor)) === 0) continue;
      states.load(store.data, at);
      const drains = subject.isDrain(actor);
      const fresh = !this.judgesOnce || drains;
      if (!fresh) this.tellKey(actor, firstStep + actor);
      machine.columns.clear();
      advance(subject, actor, reduces);
      stale.fold(machine.columns, 0);
      const order = states.note();
      const turn = drains ? last : 1 + this.form.orders[order]!.indexOf(actor);
      const preempts = goesOn && !drains && actor + 1 !== last;
      const how = (preempts ? HOW.preempts : 0) | (fresh ? HOW.fresh : 0) | (order << HOW.orderShift);
      this.tellState(firstStep + actor, how, this.turns ? turn : NOBODY);
      count += 1;
    }
    return count;
  }

  /** Tells whom it falls to by what a step from the present state counts as judged, if that was not told before. */
  private tellKey(actor: number, step: number): void {
    const { key, noted, states, place } = this;
    key.clear();
    states.writeWithoutOthers(actor, key);
    const before = noted.pieces.length;
    if (noted.intern(key) !== before) return;
    const words = noted.pieces[before]!;
    const owner = keyFingerprint(states, words) % place.count;
    const into = this.outgoing[owner]!;
    into.put(2 * step);
    tellKey(states, words, this.tellers[owner]!, into);
  }

  private tellState(step: number, how: number, turn: number): void {
    const { states, place } = this;
    const owner = rowFingerprint(states, states.present, 0) % place.count;
    const into = this.outgoing[owner]!;
    into.words[0]! += 1;
    into.put(2 * step + IS_STATE);
    into.put(how);
    this.tellRow(states.present, 0, turn, owner);
  }

  private tellRow(rows: Uint32Array, at: number, turn: number, partner: number): void {
    const into = this.outgoing[partner]!;
    for (let part = 0; part < this.states.words; part += 1) this.tellers[partner]!.tell(part, rows[at + part]!, into);
    into.put(turn);
  }

  /** Hears a row. Returns its number, complemented if it was there before. */
  private hearRow(partner: number): number {
    const { row, store, states } = this;
    const from = this.incoming[partner]!;
    for (let part = 0; part < states.words; part += 1) row[part] = this.hearers[partner]!.hear(part, from);
    row[states.words] = from.get();
    return store.add(row, 0, 0);
  }

  /** Decides, of what all shares have told this one, in the order of steps, which states are new and which steps are to be judged. */
  settle(told: readonly Int32Array[]): Settlement {
    const { incoming, store } = this;
    let states = 0;
    for (const [teller, words] of told.entries()) {
      incoming[teller]!.open(words);
      states += incoming[teller]!.get();
    }
    if (!store.reserve(states)) return { states: new Int32Array(0), fresh: new Int32Array(0), full: true, bytes: this.bytes };
    const settled = new Int32Array(SETTLED_WORDS * states);
    const fresh = new StateWords();
    for (let n = 0; ;) {
      const teller = this.nextTeller(told);
      if (teller < 0) break;
      const from = incoming[teller]!;
      const head = from.get();
      const step = head >>> 1;
      if ((head & IS_STATE) === 0) {
        if (this.isFresh(teller)) fresh.put(step);
        continue;
      }
      settled[n + SETTLED.step] = step;
      settled[n + SETTLED.how] = from.get();
      settled[n + SETTLED.state] = this.hearRow(teller);
      settled[n + SETTLED.teller] = teller;
      n += SETTLED_WORDS;
    }
    return { states: settled, fresh: fresh.copy(), full: false, bytes: this.bytes };
  }

  /** Who has told the step with the least number that was not heard yet; -1 = nobody. */
  private nextTeller(told: readonly Int32Array[]): number {
    let next = -1;
    let least = Infinity;
    for (let teller = 0; teller < told.length; teller += 1) {
      const { words, length } = this.incoming[teller]!;
      if (length === told[teller]!.length || words[length]! >= least) continue;
      least = words[length]!;
      next = teller;
    }
    return next;
  }

  /** Hears a key. Returns whether it is the first of its kind. */
  private isFresh(partner: number): boolean {
    const { seen, key } = this;
    hearKey(this.states, this.incoming[partner]!, this.hearers[partner]!, key);
    const before = seen.pieces.length;
    return seen.intern(key) === before;
  }

  /** Judges paths, which lead to states of this share, until one is broken; see `PathList` for the words. */
  judge(paths: Int32Array): Judgement {
    const { states, store } = this;
    const { subject } = this.machine;
    const from = new StateWords();
    from.open(paths);
    while (from.length < paths.length) {
      const number = from.get();
      const kind = from.get();
      states.load(store.data, from.get() * store.words);
      const schedule = readList(from);
      const who = readList(from);
      const { machine } = subject;
      const found =
        kind === PATH.stuck ? this.judges.deadlock(schedule, machine, who) : this.judges.judge(schedule, kind === PATH.end, machine, who);
      if (found !== undefined) return { broken: number, found };
    }
    return { broken: -1, found: null };
  }

  /** Tells the search itself states `from` to `to` - 1. */
  tellStates(from: number, to: number): Int32Array {
    const { store, place } = this;
    const into = this.outgoing[place.count]!;
    into.clear();
    for (let id = from; id < to; id += 1) {
      const at = id * store.words;
      this.tellRow(store.data, at, store.data[at + store.words - 1]!, place.count);
    }
    return into.copy();
  }

  /** Tells the search itself all keys that fall to this share. */
  tellKeys(): Int32Array {
    const { seen, place, states } = this;
    const into = this.outgoing[place.count]!;
    into.clear();
    for (const words of seen.pieces.slice(1)) tellKey(states, words, this.tellers[place.count]!, into);
    return into.copy();
  }

  /** Takes over states and keys that fall to this share, of a search that was saved. Returns the bytes that all takes now; -1 = there is no room. */
  adopt(rows: Int32Array, keys: Int32Array): number {
    const { incoming, place, store } = this;
    const from = incoming[place.count]!;
    from.open(rows);
    while (from.length < rows.length) {
      if (!store.reserve(1)) return -1;
      this.hearRow(place.count);
    }
    from.open(keys);
    while (from.length < keys.length) this.isFresh(place.count);
    return this.bytes;
  }
}

function readList(from: StateWords): number[] {
  return Array.from({ length: from.get() }, () => from.get());
}
