import type { Model } from './model.ts';
import { Packing } from './packing.ts';
import { PersistentSets } from './persistent-set.ts';
import { StateStore } from './state-store.ts';
import { FAILS, STEPS, StepTable, WAITS } from './step-table.ts';
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
  private readonly steps: StepTable;
  /** The first state, packed as the model has it. */
  private readonly start: Uint32Array;
  private readonly processes: number;
  /** Packed states that steps lead to, with the states they come from. With partial order row `p` is the step of process `p`. */
  private readonly next: Uint32Array;
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
    this.steps = new StepTable(model, this.packing);
    this.processes = model.fields.processes.length;
    this.persistent = new PersistentSets(this.steps, this.processes);
    this.store = new StateStore(this.packing.words, options.maxBytes);
    const rows = BATCH + this.processes;
    this.next = new Uint32Array(this.packing.words * rows);
    this.parents = new Uint32Array(rows);
    this.packing.pack(this.next);
    this.start = this.next.slice(0, this.packing.words);
    this.waiting = 1;
    this.insertWaiting();
    this.transitions = 0;
  }

  get storedStates(): number {
    return this.store.size;
  }

  /** Bytes that the stored states take, with the table that finds them and the table of steps. */
  get bytes(): number {
    return this.store.bytes + this.steps.bytes;
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
      else if (!this.store.reserve(this.waiting + this.processes)) this.ended = 'memory';
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
    const { steps, store, stack, left } = this;
    const id = stack.at(-1);
    if (id === undefined) {
      this.ended = 'complete';
      return;
    }
    if (!store.reserve(1)) {
      this.ended = 'memory';
      return;
    }
    steps.stepAll(store.data, id * store.words, this.next, 0, true);
    if (left.length < stack.length) left.push(this.able(id));
    const processes = left.at(-1)!;
    if (processes === 0) {
      stack.pop();
      left.pop();
      return;
    }
    const p = 31 - Math.clz32(processes);
    left[left.length - 1] = processes & ~(1 << p);
    if (steps.outcome(p) === FAILS) this.stop('assertion', id);
    else this.insertChosen(1 << p, id);
  }

  /** Processes that can step in state `id`, which `steps` looked at; where none can, all are at their ends, or that is a deadlock. */
  private able(id: number): number {
    const { steps } = this;
    let able = 0;
    for (let p = 0; p < this.processes; p += 1) if (steps.outcome(p) & (STEPS | FAILS)) able |= 1 << p;
    if (able === 0) this.noteEnd(id);
    return able;
  }

  private expand(id: number): void {
    const { steps, store, next, parents, waiting } = this;
    const { words } = store;
    const reduce = this.options.partialOrder;
    const rows = steps.stepAll(store.data, id * words, next, waiting * words, reduce);
    if (steps.outcomes & FAILS) return this.stop('assertion', id);
    if (reduce) store.setExpanded(id);
    if (rows === 0) return this.noteEnd(id);
    if (!reduce) {
      this.waiting += rows;
      for (let row = waiting; row < this.waiting; row += 1) parents[row] = id;
      if (this.waiting >= BATCH) this.insertWaiting();
      return;
    }
    const { enabled } = steps;
    const chosen = this.persistent.choose(enabled);
    // A step left out must not be left out for ever: one chosen step must lead to a state whose own steps are still to be taken.
    if (!this.insertChosen(chosen, id) && chosen !== enabled) this.insertChosen(enabled & ~chosen, id);
  }

  /** Nobody can step in state `id`, which `steps` looked at: all are at their ends, or it is a deadlock. */
  private noteEnd(id: number): void {
    if (this.steps.outcomes & WAITS) this.stop('deadlock', id);
    else this.finalStates.push(id);
  }

  /** Stores what the steps of `processes` lead to, which is in their rows. Returns whether one of those states is not expanded yet. */
  private insertChosen(processes: number, parent: number): boolean {
    const { next, store } = this;
    const { words } = store;
    const before = store.size;
    let open = false;
    for (let left = processes; left !== 0; left &= left - 1) {
      const p = 31 - Math.clz32(left & -left);
      if (this.options.symmetry) this.symmetry.canonicalise(next, p * words);
      const id = store.add(next, p * words, parent);
      this.transitions += 1;
      open ||= id >= 0 || !store.isExpanded(~id);
    }
    this.noteNew(before);
    return open;
  }

  /** Stores what waits in the first rows. */
  private insertWaiting(): void {
    const { next, parents, store, waiting } = this;
    const before = store.size;
    if (this.options.symmetry) for (let row = 0; row < waiting; row += 1) this.symmetry.canonicalise(next, row * store.words);
    store.addAll(next, waiting, parents);
    this.noteNew(before);
    this.transitions += waiting;
    this.waiting = 0;
  }

  /** States from number `from` on are new. */
  private noteNew(from: number): void {
    const { store, options } = this;
    if (!options.symmetry) this.reachedStates += store.size - from;
    else for (let id = from; id < store.size; id += 1) this.reachedStates += this.symmetry.orbit(store.data, id * store.words);
    if (options.order === 'dfs') for (let id = from; id < store.size; id += 1) this.stack.push(id);
  }

  private stop(kind: 'assertion' | 'deadlock', state: number): void {
    this.insertWaiting();
    this.defect = { kind, state };
    this.ended = 'counterexample';
  }

  /** Which processes step, from the true start, through states that the stored ones of `path` stand for. */
  private concreteSchedule(path: readonly number[]): number[] {
    const { steps, store, next, processes } = this;
    const { words } = store;
    const now = this.start.slice();
    const schedule: number[] = [];
    const take = (outcome: number, wanted: (row: Uint32Array) => boolean): void => {
      steps.stepAll(now, 0, next, 0, true);
      for (let p = 0; p < processes; p += 1) {
        if (steps.outcome(p) !== outcome) continue;
        const row = next.subarray(p * words, (p + 1) * words);
        const after = row.slice();
        if (this.options.symmetry) this.symmetry.canonicalise(row, 0);
        if (!wanted(row)) continue;
        schedule.push(p);
        now.set(after);
        return;
      }
      throw new Error('a stored state is not reached from its parent');
    };
    for (const id of path) take(STEPS, (row) => row.every((word, w) => word === store.data[id * words + w]));
    if (this.defect!.kind === 'assertion') take(FAILS, () => true);
    return schedule;
  }
}
