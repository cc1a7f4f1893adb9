import type { StateWords } from '@s2lab/engine';
import { StateStore } from '@s2lab/small-models';
import type { Way, Ways } from './ways.ts';
import { choiceOf, restoredVia, savedVia, statesTo, viaOf } from './ways.ts';

/** The states that a search has stored, as rows of words, and by which choice each of them was come to first. */
export class SearchTree {
  readonly store: StateStore;
  private readonly ways: Ways;
  /** The step by which each state was reached, as `viaOf` has it. */
  private via = new Uint32Array(1 << 12);

  /**
   * @param words of a state
   * @param maxBytes that the states may take
   */
  constructor(words: number, maxBytes: number, ways: Ways) {
    this.store = new StateStore(words, maxBytes);
    this.ways = ways;
  }

  get bytes(): number {
    return this.store.bytes + this.via.byteLength;
  }

  /**
   * Adds the state in `row`, reached from `parent` by `choice`, after which the actors stand in the order of that number; there is room.
   * @returns its number when it is new, else the bitwise complement of the number that it has
   */
  add(row: Uint32Array, parent: number, choice: number, order: number): number {
    const id = this.store.add(row, 0, parent);
    if (id >= 0) this.noteVia(id, viaOf(choice, order));
    return id;
  }

  /** The choice by which a state was reached first. */
  choice(id: number): number {
    return choiceOf(this.via[id]!);
  }

  /** Numbers of the states on the way to a state, but for the first one. */
  statesTo(id: number): readonly number[] {
    return statesTo(id, (at) => this.store.parent(at));
  }

  way(id: number): Way {
    return this.ways.along(this.statesTo(id).map((at) => this.via[at]!));
  }

  /** Writes all states. */
  save(into: StateWords): void {
    const { store } = this;
    into.put(store.size);
    into.putAll(store.data, 0, store.size * store.words);
    for (let id = 0; id < store.size; id += 1) {
      into.put(store.parent(id));
      into.put(savedVia(this.via[id]!, store.isExpanded(id)));
    }
  }

  /**
   * Reads what `save` wrote; states that are here already are the first of those.
   * @throws Error when they are not
   */
  restore(from: StateWords): void {
    const { store } = this;
    const size = from.get();
    const rows = new Uint32Array(size * store.words);
    from.getAll(rows);
    for (let id = 0; id < size; id += 1) {
      if (!store.reserve(1)) throw new RangeError('the saved search takes more memory than it may');
      const parent = from.get();
      const { via, expanded } = restoredVia(from.get());
      const added = store.add(rows, id * store.words, parent);
      if (added !== id && added !== ~id) throw new Error('the states of a saved search are not those of this one');
      this.noteVia(id, via);
      if (expanded) store.setExpanded(id);
    }
  }

  private noteVia(id: number, via: number): void {
    if (id >= this.via.length) {
      const longer = new Uint32Array(2 * this.via.length);
      longer.set(this.via);
      this.via = longer;
    }
    this.via[id] = via;
  }
}
