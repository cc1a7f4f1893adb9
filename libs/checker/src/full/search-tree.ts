import type { StateWords } from '@s2lab/engine';
import { StateStore } from '@s2lab/small-models';
import { chosen } from './choices.ts';

/** Added to a choice in a saved search: the state it led to has been expanded. */
const EXPANDED = 1 << 24;
/** In `via`, an order of actors comes above the choice. */
const ORDER_SHIFT = 8;

/** A way to a state. */
export interface Way {
  /** Numbers of the states on it, but for the first one. */
  readonly ids: readonly number[];
  readonly schedule: number[];
  /** Of each actor as it stands in the state, who it is on the way. */
  readonly who: readonly number[];
}

/** The states that a search has stored, as rows of words, and by which choice each of them was come to first. */
export class SearchTree {
  readonly store: StateStore;
  /** Orders in which actors can come to stand, by number: of each present actor, who it was before. */
  private readonly orders: readonly (readonly number[])[];
  private readonly firstOrder: number;
  /** The choice by which each state was reached, of an actor as it stood in the state before, and the number of the order in which actors stand since. */
  private via = new Uint32Array(1 << 12);

  /**
   * @param words of a state
   * @param maxBytes that the states may take
   * @param firstOrder number of the order in which the actors stand in state 0
   */
  constructor(words: number, maxBytes: number, orders: readonly (readonly number[])[], firstOrder: number) {
    this.store = new StateStore(words, maxBytes);
    this.orders = orders;
    this.firstOrder = firstOrder;
  }

  get bytes(): number {
    return this.store.bytes + this.via.byteLength;
  }

  /**
   * Adds the state in `row`, reached from `parent` by `choice`, after which the actors stand in the order of that number; there is room.
   * @returns its number when it is new, else the bitwise complement of the number that it has
   */
  add(row: Uint32Array, parent: number, choice: number, order: number): number {
    const id = this.store.add(row, 0, this.store.warm(row, 0), parent);
    if (id >= 0) this.noteVia(id, choice + (order << ORDER_SHIFT));
    return id;
  }

  /** The choice by which a state was reached first. */
  choice(id: number): number {
    return this.via[id]! & (2 ** ORDER_SHIFT - 1);
  }

  /** Number of the order in which actors stand since that choice. */
  order(id: number): number {
    return this.via[id]! >> ORDER_SHIFT;
  }

  /** Who makes each choice on the way to a state, and of each actor as it stands there, who it is. */
  way(id: number): Way {
    const ids: number[] = [];
    for (let at = id; at !== 0; at = this.store.parent(at)) ids.push(at);
    ids.reverse();
    let who = this.orders[this.firstOrder]!;
    const schedule: number[] = [];
    for (const at of ids) {
      schedule.push(chosen(who, this.choice(at)));
      who = this.stands(who, this.order(at));
    }
    return { ids, schedule, who };
  }

  /** Who each actor is on a way that has come to stand in an order, if before it was `who`. */
  stands(who: readonly number[], order: number): readonly number[] {
    return this.orders[order]!.map((before) => who[before]!);
  }

  /** Writes all states. */
  save(into: StateWords): void {
    const { store } = this;
    into.put(store.size);
    into.putAll(store.data, 0, store.size * store.words);
    for (let id = 0; id < store.size; id += 1) {
      into.put(store.parent(id));
      into.put(this.via[id]! + (store.isExpanded(id) ? EXPANDED : 0));
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
      const via = from.get();
      const added = store.add(rows, id * store.words, store.warm(rows, id * store.words), parent);
      if (added !== id && added !== ~id) throw new Error('the states of a saved search are not those of this one');
      this.noteVia(id, via & ~EXPANDED);
      if ((via & EXPANDED) !== 0) store.setExpanded(id);
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
