import type { Model } from './model.ts';
import type { Packing } from './packing.ts';
import { enlarged, StateStore } from './state-store.ts';

/** What a process can do in a state: step. This and the other outcomes are a bit each. */
export const STEPS = 1;
/** It can step, and the assertion of its step fails. */
export const FAILS = 2;
/** What it awaits does not hold. */
export const WAITS = 4;
/** It is at its end. */
export const DONE = 8;

const UNKNOWN = 0;
/** Locations that a step reads and writes, and that the process may read and write from there on. */
const ACCESSES = 4;
/** Words of entries beyond which the table starts anew. */
const WORDS_MOST = 1 << 22;

/**
 * Remembers the steps of a model. What a process can do depends on the shared locations and on its own fields only, and these take few
 * values: S2 with four walkers has three million states, but 269 values of the shared locations and 94 of the processes. So the model is asked
 * once for each pair, and in all other states the step changes the packed state as it did then.
 */
export class StepTable {
  /** Of the state that `stepAll` looked at: all outcomes, and the processes whose outcome is `STEPS`, one bit each. */
  outcomes = 0;
  enabled = 0;
  private readonly model: Model;
  private readonly packing: Packing;
  /** The values of the shared locations, numbered. */
  private shared: StateStore;
  private readonly sharedOnly: Uint32Array;
  /** By process and value of its own fields: its number, from 1; 0: not met yet. */
  private readonly locals: Uint32Array;
  /** By process: where its part of `locals` begins. */
  private readonly localsFrom: Uint32Array;
  private localCount = 0;
  /** Entries for one value of the shared locations, the first of which stays unknown: one more than `localCount` may reach. */
  private rowEntries = 64;
  /** Words of an entry: the outcome, and the bits that the step turns over. */
  private readonly entryWords: number;
  private entries = new Int32Array(0);
  /** By entry: its `ACCESSES`. */
  private accesses = new Int32Array(0);
  /** By process: its entry in the state looked at. */
  private readonly present: Uint32Array;
  /** What the model made of a state, packed. */
  private readonly after: Uint32Array;

  constructor(model: Model, packing: Packing) {
    this.model = model;
    this.packing = packing;
    this.shared = new StateStore(packing.words, Infinity);
    this.sharedOnly = new Uint32Array(packing.words);
    let values = 0;
    this.localsFrom = packing.groupMask.map((mask) => (values += mask + 1) - mask - 1);
    this.locals = new Uint32Array(values);
    this.present = new Uint32Array(packing.groupMask.length);
    this.after = new Uint32Array(packing.words);
    this.entryWords = 1 + packing.words;
    this.grow(16);
  }

  /** Bytes that it takes, some tens of MiB at most. */
  get bytes(): number {
    return this.shared.bytes + this.locals.byteLength + this.entries.byteLength + this.accesses.byteLength;
  }

  /**
   * Looks at the state packed at `from[fromAt…]`, and packs into the rows `to[at…]` what the steps of all processes make of it: one after the other, or,
   * `inPlace`, that of process `p` into row `p`. What it writes where there is no step has no meaning.
   * @returns how many steps there are
   */
  stepAll(from: Uint32Array, fromAt: number, to: Uint32Array, at: number, inPlace: boolean): number {
    const first = this.firstEntry(from, fromAt);
    const { locals, localsFrom, present, entries, entryWords } = this;
    const { words, groupWord, groupShift, groupMask } = this.packing;
    let outcomes = 0;
    let enabled = 0;
    let steps = 0;
    for (let p = 0; p < present.length; p += 1) {
      const place = localsFrom[p]! + ((from[fromAt + groupWord[p]!]! >>> groupShift[p]!) & groupMask[p]!);
      const entry = first + locals[place]!;
      const outcome = entries[entry * entryWords]!;
      if (outcome === UNKNOWN) {
        // All entries may move then.
        this.learn(p, place, from, fromAt);
        return this.stepAll(from, fromAt, to, at, inPlace);
      }
      const turned = entry * entryWords + 1;
      // Whether it steps is hard to foretell, so this does not ask: the next row overwrites one that is none.
      const row = at + words * (inPlace ? p : steps);
      for (let w = 0; w < words; w += 1) to[row + w] = from[fromAt + w]! ^ entries[turned + w]!;
      present[p] = entry;
      outcomes |= outcome;
      enabled |= (outcome & STEPS) << p;
      steps += outcome & STEPS;
    }
    this.outcomes = outcomes;
    this.enabled = enabled;
    return steps;
  }

  outcome(process: number): number {
    return this.entries[this.present[process]! * this.entryWords]!;
  }

  /** Shared locations that the step, or what the process awaits, reads. */
  reads(process: number): number {
    return this.accesses[this.present[process]! * ACCESSES]!;
  }

  writes(process: number): number {
    return this.accesses[this.present[process]! * ACCESSES + 1]!;
  }

  /** Shared locations that the process may read from here on, without those that are never read. */
  mayRead(process: number): number {
    return this.accesses[this.present[process]! * ACCESSES + 2]!;
  }

  mayWrite(process: number): number {
    return this.accesses[this.present[process]! * ACCESSES + 3]!;
  }

  /** The first entry for the values of the shared locations in the state at `from[at…]`. */
  private firstEntry(from: Uint32Array, at: number): number {
    const { packing, sharedOnly } = this;
    for (let w = 0; w < sharedOnly.length; w += 1) sharedOnly[w] = from[at + w]! & packing.sharedBits[w]!;
    const id = this.shared.add(sharedOnly, 0, 0);
    if (id >= 0 && !this.makeRoom(id)) return this.firstEntry(from, at);
    return (id < 0 ? ~id : id) * this.rowEntries;
  }

  /** Asks the model what `process`, the value of whose own fields is at `place` in `locals`, can do. */
  private learn(process: number, place: number, from: Uint32Array, at: number): void {
    const { model, packing, locals, after } = this;
    if (locals[place] === 0) {
      this.localCount += 1;
      locals[place] = this.localCount;
      if (this.localCount === this.rowEntries) {
        this.rowEntries *= 2;
        this.startAnew();
      }
    }
    const entry = this.firstEntry(from, at) + locals[place]!;
    const { entries, accesses } = this;
    packing.unpack(from, at);
    accesses[entry * ACCESSES + 2] = model.mayRead(process) & ~model.neverRead;
    accesses[entry * ACCESSES + 3] = model.mayWrite(process) & ~model.neverRead;
    model.reads = 0;
    model.writes = 0;
    const outcome = model.enabled(process) ? (model.step(process) ? STEPS : FAILS) : model.done(process) ? DONE : WAITS;
    accesses[entry * ACCESSES] = model.reads;
    accesses[entry * ACCESSES + 1] = model.writes;
    packing.pack(after);
    const base = entry * this.entryWords;
    entries[base] = outcome;
    for (let w = 0; w < after.length; w += 1) entries[base + 1 + w] = after[w]! ^ from[at + w]!;
  }

  /** Makes room for the entries of value `id` of the shared locations. @returns whether it did so without starting anew */
  private makeRoom(id: number): boolean {
    this.shared.reserve(1);
    if ((id + 1) * this.rowEntries * ACCESSES <= this.accesses.length) return true;
    const fits = id * this.rowEntries * this.entryWords < WORDS_MOST;
    if (fits) this.grow(2 * (id + 1));
    else this.startAnew();
    return fits;
  }

  /** Forgets all steps: what is still needed is soon learnt again. */
  private startAnew(): void {
    this.shared = new StateStore(this.packing.words, Infinity);
    this.entries.fill(UNKNOWN);
  }

  private grow(values: number): void {
    this.entries = enlarged(this.entries, values * this.rowEntries * this.entryWords);
    this.accesses = enlarged(this.accesses, values * this.rowEntries * ACCESSES);
  }
}
