import { chosen } from '../full/choices.ts';

/** In `via`, an order of actors comes above the choice. */
const ORDER_SHIFT = 8;
const CHOICE = 2 ** ORDER_SHIFT - 1;

/** A way to a state. */
export interface Way {
  readonly schedule: number[];
  /** Of each actor as it stands in the state, who it is on the way. */
  readonly who: readonly number[];
  /** The steps on it: the state before, and the choice made there. */
  readonly steps: readonly (readonly [id: number, choice: number])[];
}

/**
 * The states of a search that lie in shares: by number, in the order in which they were found, which share has each, and from which state and by
 * which choice it was come to.
 */
export class StateTree {
  /** How many there are. */
  size = 0;
  private owners = new Uint8Array(1 << 10);
  private locals = new Uint32Array(1 << 10);
  private parents = new Uint32Array(1 << 10);
  private vias = new Uint32Array(1 << 10);
  private expanded = new Uint8Array(1 << 10);
  /** Of each share: the numbers of its states, in its own order, and how many they are. */
  private readonly globals: Uint32Array[];
  private readonly counts: number[];
  private readonly orders: readonly (readonly number[])[];
  private readonly firstOrder: number;

  /**
   * @param shares how many there are
   * @param orders orders in which actors can come to stand (`CanonicalForm.orders`)
   * @param firstOrder number of that in which they stand at the beginning
   */
  constructor(shares: number, orders: readonly (readonly number[])[], firstOrder: number) {
    this.globals = Array.from({ length: shares }, () => new Uint32Array(1 << 10));
    this.counts = this.globals.map(() => 0);
    this.orders = orders;
    this.firstOrder = firstOrder;
  }

  get bytes(): number {
    const each =
      this.locals.byteLength + this.parents.byteLength + this.vias.byteLength + this.owners.byteLength + this.expanded.byteLength;
    return each + this.globals.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Adds the next state of a share, reached from `parent` by a choice after which the actors stand in an order. Returns its number. */
  add(owner: number, parent: number, choice: number, order: number): number {
    const id = this.size;
    if (id === this.parents.length) this.grow(2 * id);
    const local = this.counts[owner]!;
    if (local === this.globals[owner]!.length) this.globals[owner] = longer(new Uint32Array(2 * local), this.globals[owner]!);
    this.owners[id] = owner;
    this.locals[id] = local;
    this.parents[id] = parent;
    this.vias[id] = choice + (order << ORDER_SHIFT);
    this.globals[owner]![local] = id;
    this.counts[owner] = local + 1;
    this.size = id + 1;
    return id;
  }

  /** How many states a share has. */
  countOf(owner: number): number {
    return this.counts[owner]!;
  }

  /** The number of a state by its number in its share. */
  global(owner: number, local: number): number {
    return this.globals[owner]![local]!;
  }

  owner(id: number): number {
    return this.owners[id]!;
  }

  local(id: number): number {
    return this.locals[id]!;
  }

  parent(id: number): number {
    return this.parents[id]!;
  }

  /** The choice by which a state was come to, and above it the number of the order, as a saved search has them. */
  via(id: number): number {
    return this.vias[id]!;
  }

  isExpanded(id: number): boolean {
    return this.expanded[id] === 1;
  }

  setExpanded(id: number, yes: boolean): void {
    this.expanded[id] = yes ? 1 : 0;
  }

  /** How actors that `who` names are named once they stand in an order. */
  after(who: readonly number[], order: number): readonly number[] {
    return this.orders[order]!.map((before) => who[before]!);
  }

  /** Who makes each choice on the way to a state, and of each actor as it stands there, who it is. */
  way(id: number): Way {
    const ids: number[] = [];
    for (let at = id; at !== 0; at = this.parents[at]!) ids.push(at);
    let who = this.orders[this.firstOrder]!;
    const schedule: number[] = [];
    const steps: (readonly [number, number])[] = [];
    for (const at of ids.reverse()) {
      const choice = this.vias[at]! & CHOICE;
      steps.push([this.parents[at]!, choice]);
      schedule.push(chosen(who, choice));
      who = this.after(who, this.vias[at]! >> ORDER_SHIFT);
    }
    return { schedule, who, steps };
  }

  private grow(states: number): void {
    this.owners = longer(new Uint8Array(states), this.owners);
    this.locals = longer(new Uint32Array(states), this.locals);
    this.parents = longer(new Uint32Array(states), this.parents);
    this.vias = longer(new Uint32Array(states), this.vias);
    this.expanded = longer(new Uint8Array(states), this.expanded);
  }
}

function longer<T extends Uint8Array | Uint32Array>(into: T, from: T): T {
  into.set(from);
  return into;
}
