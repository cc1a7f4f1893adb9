import type { Way, Ways } from '../full/ways.ts';
import { statesTo } from '../full/ways.ts';

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
  private readonly ways: Ways;

  /** @param shares how many there are */
  constructor(shares: number, ways: Ways) {
    this.globals = Array.from({ length: shares }, () => new Uint32Array(1 << 10));
    this.counts = this.globals.map(() => 0);
    this.ways = ways;
  }

  get bytes(): number {
    const each =
      this.locals.byteLength + this.parents.byteLength + this.vias.byteLength + this.owners.byteLength + this.expanded.byteLength;
    return each + this.globals.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Adds the next state of a share, reached from `parent` by the step `via` (`viaOf`). Returns its number. */
  add(owner: number, parent: number, via: number): number {
    const id = this.size;
    if (id === this.parents.length) this.grow(2 * id);
    const local = this.counts[owner]!;
    if (local === this.globals[owner]!.length) this.globals[owner] = longer(new Uint32Array(2 * local), this.globals[owner]!);
    this.owners[id] = owner;
    this.locals[id] = local;
    this.parents[id] = parent;
    this.vias[id] = via;
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

  /** The step by which a state was come to (`viaOf`). */
  via(id: number): number {
    return this.vias[id]!;
  }

  isExpanded(id: number): boolean {
    return this.expanded[id] === 1;
  }

  setExpanded(id: number, yes: boolean): void {
    this.expanded[id] = yes ? 1 : 0;
  }

  /** Numbers of the states on the way to a state, but for the first one. */
  statesTo(id: number): readonly number[] {
    return statesTo(id, (at) => this.parents[at]!);
  }

  way(id: number): Way {
    return this.ways.along(this.statesTo(id).map((at) => this.vias[at]!));
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
