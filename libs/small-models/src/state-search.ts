import type { Model } from './model.ts';
import { Packing } from './packing.ts';
import { PersistentSets } from './persistent-set.ts';
import { StateStore } from './state-store.ts';
import { Symmetry } from './symmetry.ts';

/** How to search the states of a model. */
export interface StateSearchOptions {
  /** Breadth-first finds a shortest counterexample; depth-first goes to the ends first. */
  readonly order: 'bfs' | 'dfs';
  /** Store one state for all that differ in the order of identical processes. */
  readonly symmetry: boolean;
  /** Take only the steps of a persistent set. Counterexamples are then not the shortest. */
  readonly partialOrder: boolean;
  /** Bytes that stored states may take. */
  readonly maxBytes: number;
}

/** What went wrong, and by which steps: numbers of processes, from the start. */
export interface Counterexample {
  /** An assertion failed in the last step; or, after it, nobody can step and not all are at their ends. */
  readonly kind: 'assertion' | 'deadlock';
  readonly schedule: readonly number[];
}

/** States that wait before they are stored together. */
const BATCH = 64;

/** Searches the states of a model, in slices, until all have been seen or one shows a defect. */
export class StateSearch {
  /** States reached; with symmetry, all those that the stored ones stand for. */
  reachedStates = 0;
  transitions = 0;
  /** Numbers of the states in which nobody can step. */
  readonly finalStates: number[] = [];
  /** Why it stopped; undefined while it goes on. */
  ended: 'complete' | 'counterexample' | 'memory' | undefined;
  private readonly model: Model;
  private readonly options: StateSearchOptions;
  private readonly packing: Packing;
  private readonly symmetry: Symmetry;
  private readonly persistent: PersistentSets;
  private readonly store: StateStore;
  private readonly start: Uint8Array;
  private readonly saved: Uint8Array;
  /** Packed states that steps lead to, with their hashes and the states they come from. With partial order row `p` is the step of process `p`. */
  private readonly next: Uint32Array;
  private readonly hashes: Int32Array;
  private readonly parents: Uint32Array;
  /** Rows that wait to be stored. */
  private waiting = 0;
  /** Breadth-first: the number to expand next. */
  private head = 0;
  /** Depth-first: numbers of the states on the way to the present one; with partial order, those to expand, the last first. */
  private readonly stack: number[] = [];
  /** Depth-first: processes that are still to step from each state on the way, one bit each. */
  private readonly left: number[] = [];
  private defect: { readonly kind: 'assertion' | 'deadlock'; readonly state: number } | undefined;

  /** @throws RangeError when the model's state does not fit */
  constructor(model: Model, options: StateSearchOptions) {
    this.model = model;
    this.options = options;
    this.packing = new Packing(model);
    this.symmetry = new Symmetry(model, this.packing);
    this.persistent = new PersistentSets(model);
    this.store = new StateStore(this.packing.words, options.maxBytes);
    this.start = model.state.slice();
    this.saved = model.state.slice();
    const rows = BATCH + model.fields.processes.length;
    this.next = new Uint32Array(this.packing.words * rows);
    this.hashes = new Int32Array(rows);
    this.parents = new Uint32Array(rows);
    this.packing.pack(this.next);
    this.waiting = 1;
    this.insertWaiting();
    this.transitions = 0;
  }

  get storedStates(): number {
    return this.store.size;
  }

  /** Bytes that the stored states take, with the table that finds them. */
  get bytes(): number {
    return this.store.bytes;
  }

  /** Expands at most `states` states. Returns whether there is more to do. */
  advance(states: number): boolean {
    const { order, partialOrder } = this.options;
    for (let n = 0; n < states && this.ended === undefined; n += 1) {
      if (order === 'dfs' && !partialOrder) {
        this.goDeeper();
        continue;
      }
      if (this.head === this.store.size || order === 'dfs') this.insertWaiting();
      const id = order === 'bfs' ? this.head : this.stack.pop();
      if (id === undefined || id === this.store.size) this.ended = 'complete';
      else if (!this.store.reserve(this.waiting + this.model.fields.processes.length)) this.ended = 'memory';
      else {
        this.head += 1;
        this.expand(id);
      }
    }
    return this.ended === undefined;
  }

  /** The state number `id`, as the model writes it. */
  stateOf(id: number): Uint8Array {
    this.packing.unpack(this.store.data, id * this.packing.words);
    return this.model.state.slice();
  }

  /** The counterexample, once `ended` says that there is one. */
  counterexample(): Counterexample | undefined {
    if (this.defect === undefined) return undefined;
    const path: number[] = [];
    for (let id = this.defect.state; id !== 0; id = this.store.parent(id)) path.push(id);
    const schedule = this.concreteSchedule(path.reverse());
    return { kind: this.defect.kind, schedule };
  }

  /** Makes one step from the last state on the way, of the last process that has not made its own; or goes back. */
  private goDeeper(): void {
    const { model, packing, store, saved, next, stack, left } = this;
    const id = stack.at(-1);
    if (id === undefined) {
      this.ended = 'complete';
      return;
    }
    if (!store.reserve(1)) {
      this.ended = 'memory';
      return;
    }
    packing.unpack(store.data, id * packing.words);
    if (left.length < stack.length) left.push(this.able(id));
    const processes = left.at(-1)!;
    if (processes === 0) {
      stack.pop();
      left.pop();
      return;
    }
    const p = 31 - Math.clz32(processes);
    left[left.length - 1] = processes & ~(1 << p);
    saved.set(model.state);
    const held = model.step(p);
    packing.packStep(p, store.data, id * packing.words, saved, next, 0);
    if (!held) {
      this.stop('assertion', id);
      return;
    }
    this.parents[0] = id;
    this.waiting = 1;
    this.insertWaiting();
  }

  /** Processes that can step in the model's state, number `id`; where none can, all are at their ends, or that is a deadlock. */
  private able(id: number): number {
    const { model } = this;
    let able = 0;
    let ends = true;
    for (let p = 0; p < model.fields.processes.length; p += 1) {
      if (model.enabled(p)) able |= 1 << p;
      else ends &&= model.done(p);
    }
    if (able === 0 && ends) this.finalStates.push(id);
    else if (able === 0) this.stop('deadlock', id);
    return able;
  }

  private expand(id: number): void {
    const { model, packing, store, saved, next, persistent } = this;
    const { words } = packing;
    const from = id * words;
    const count = model.fields.processes.length;
    const reduce = this.options.partialOrder;
    packing.unpack(store.data, from);
    saved.set(model.state);
    const { waiting } = this;
    let enabled = 0;
    let ends = true;
    for (let p = 0; p < count; p += 1) {
      model.reads = 0;
      model.writes = 0;
      if (model.enabled(p)) {
        enabled |= 1 << p;
        const held = model.step(p);
        const row = reduce ? p : this.waiting;
        packing.packStep(p, store.data, from, saved, next, row * words);
        if (!held) {
          this.waiting = waiting;
          return this.stop('assertion', id);
        }
        if (!reduce) {
          this.parents[row] = id;
          this.waiting += 1;
        }
      } else ends &&= model.done(p);
      if (reduce) {
        persistent.nextReads[p] = model.reads;
        persistent.nextWrites[p] = model.writes;
      }
    }
    if (reduce) store.setExpanded(id);
    if (enabled === 0) {
      if (!ends) return this.stop('deadlock', id);
      this.finalStates.push(id);
      return;
    }
    if (!reduce) {
      if (this.waiting >= BATCH) this.insertWaiting();
      return;
    }
    const chosen = persistent.choose(enabled);
    // A step left out must not be left out for ever: one chosen step must lead to a state whose own steps are still to be taken.
    if (!this.insertChosen(chosen, id) && chosen !== enabled) this.insertChosen(enabled & ~chosen, id);
  }

  /** Stores what the steps of `processes` lead to. Returns whether one of those states is not expanded yet. */
  private insertChosen(processes: number, parent: number): boolean {
    const { next, hashes, store } = this;
    const { words } = this.packing;
    for (let left = processes; left !== 0; left &= left - 1) {
      const p = 31 - Math.clz32(left & -left);
      if (this.options.symmetry) this.symmetry.canonicalise(next, p * words);
      hashes[p] = store.warm(next, p * words);
    }
    let open = false;
    for (let left = processes; left !== 0; left &= left - 1) {
      const p = 31 - Math.clz32(left & -left);
      const id = store.add(next, p * words, hashes[p]!, parent);
      this.transitions += 1;
      if (id >= 0) {
        this.noteNew(id, p * words);
        open = true;
      } else if (!open) open = !store.isExpanded(~id);
    }
    return open;
  }

  /** Stores what waits in the first rows. So many at once, that their cache misses overlap; in order, so that nothing else changes. */
  private insertWaiting(): void {
    const { next, hashes, parents, store, waiting } = this;
    const { words } = this.packing;
    for (let row = 0; row < waiting; row += 1) {
      if (this.options.symmetry) this.symmetry.canonicalise(next, row * words);
      hashes[row] = store.warm(next, row * words);
    }
    for (let row = 0; row < waiting; row += 1) {
      const id = store.add(next, row * words, hashes[row]!, parents[row]!);
      if (id >= 0) this.noteNew(id, row * words);
    }
    this.transitions += waiting;
    this.waiting = 0;
  }

  private noteNew(id: number, at: number): void {
    this.reachedStates += this.options.symmetry ? this.symmetry.orbit(this.next, at) : 1;
    if (this.options.order === 'dfs') this.stack.push(id);
  }

  private stop(kind: 'assertion' | 'deadlock', state: number): void {
    this.insertWaiting();
    this.defect = { kind, state };
    this.ended = 'counterexample';
  }

  /** Which processes step, from the true start, through states that the stored ones of `path` stand for. */
  private concreteSchedule(path: readonly number[]): number[] {
    const { model, packing, next } = this;
    const { words } = packing;
    const before = new Uint32Array(words);
    const schedule: number[] = [];
    model.state.set(this.start);
    const take = (wanted: (process: number, held: boolean) => boolean): void => {
      packing.pack(before);
      this.saved.set(model.state);
      for (let p = 0; p < model.fields.processes.length; p += 1) {
        if (!model.enabled(p)) continue;
        model.writes = 0;
        const held = model.step(p);
        const after = model.state.slice();
        packing.packStep(p, before, 0, this.saved, next, 0);
        if (this.options.symmetry) this.symmetry.canonicalise(next, 0);
        if (!wanted(p, held)) continue;
        schedule.push(p);
        model.state.set(after);
        return;
      }
      throw new Error('a stored state is not reached from its parent');
    };
    for (const id of path) {
      take((_, held) => held && this.store.data.subarray(id * words, (id + 1) * words).every((word, w) => word === next[w]));
    }
    if (this.defect!.kind === 'assertion') take((_, held) => !held);
    return schedule;
  }
}
