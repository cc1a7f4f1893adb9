import { swapActors, TableNames } from '@s2lab/engine';
import type { StateWords, Walker } from '@s2lab/engine';
import type { SpentState } from './spent-state.ts';
import type { StaleLinks } from './stale-links.ts';
import type { Subject } from './subject.ts';

/** Registers that name tables or descriptors, or that keep numbers: they are no part of what walkers are put in order by. */
const UNORDERED = new Set([11, 12, 14, 26, 33, 34, 35, 36, 37]);
const STACK = 50;

/** What of a state is left out. */
export interface LeftOut {
  /** Names of the frames of table pages. */
  readonly tables: boolean;
  /** Names of vCPUs that have the same to do. */
  readonly walkers: boolean;
  /** What nobody goes by any more. */
  readonly spent: SpentState | undefined;
}

/**
 * States that differ by names alone are one: of all names that the frames of table pages and alike vCPUs could have, a state is given those that
 * its own shape suggests. Exchanging alike vCPUs, or frames, maps each step of the machine to a step, so what can be reached from one is what can be
 * reached from the other, but for the names. It is sound to miss that two states are alike; it only costs states.
 */
export class CanonicalForm {
  /** Orders in which actors can come to stand: of each present actor, who it was before. Number 0 is the order as it is. */
  readonly orders: number[][];
  private readonly subject: Subject;
  private readonly stale: StaleLinks;
  private readonly names: TableNames | undefined;
  private readonly spent: SpentState | undefined;
  /** Neighbouring vCPUs that may be exchanged: the first of each two. */
  private readonly alike: readonly number[];
  private readonly order: number[];
  private readonly numbers = new Map<string, number>();

  constructor(subject: Subject, stale: StaleLinks, { tables, walkers, spent }: LeftOut) {
    this.subject = subject;
    this.stale = stale;
    this.spent = spent;
    const { machine, script } = subject;
    const { vcpus, actors } = machine.world;
    // Hypervisors, and stores that are held back, name actors and tables as they are; a recovery in place leaves the link of a table in an invalid descriptor.
    const named = machine.hypervisor !== undefined || machine.buffers !== undefined;
    this.names = tables && !named && machine.config.collapse !== 'in-place' ? new TableNames(machine) : undefined;
    const { policy } = machine;
    const toldApart = named || !walkers || (policy.stateWords(actors) > 0 && policy.swapActors === undefined);
    this.alike = toldApart ? [] : Array.from({ length: vcpus - 1 }, (_, a) => a).filter((a) => script.isAlike(a, a + 1));
    this.order = Array.from({ length: actors }, (_, actor) => actor);
    this.orders = [[...this.order]];
    this.numbers.set(this.order.join(), 0);
  }

  /** Gives the present state its names. Returns the number of the order in which the actors stand now. */
  apply(): number {
    const { machine } = this.subject;
    this.spent?.clear();
    for (const walker of machine.walkers) if ((this.subject.moved & (1 << walker.actor)) !== 0) this.stale.prune(walker);
    const order = this.alike.length === 0 ? 0 : this.sort();
    if (this.names?.rename(this.stale.tables) === true) {
      this.stale.rename(this.names.renamed);
      this.subject.moved = -1;
      for (const stage2 of machine.world.stage2s) stage2?.tlb.changed.fill(1);
    }
    return order;
  }

  private sort(): number {
    const { alike, order, subject, stale } = this;
    const { machine, script } = subject;
    for (let i = 0; i < order.length; i += 1) order[i] = i;
    let moved = false;
    for (let again = true; again;) {
      again = false;
      for (let i = 0; i < alike.length; i += 1) {
        const a = alike[i]!;
        const b = a + 1;
        if (compare(machine.walkers[a]!, machine.walkers[b]!) <= 0) continue;
        swapActors(machine, a, b);
        script.swap(a, b);
        stale.swap(a, b);
        subject.moved |= (1 << a) | (1 << b);
        [order[a], order[b]] = [order[b]!, order[a]!];
        again = true;
        moved = true;
      }
    }
    return moved ? this.numberOf(order) : 0;
  }

  /** The number of an order of actors, which it has from now on. */
  numberOf(order: readonly number[]): number {
    const key = order.join();
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.orders.length);
    this.orders.push([...order]);
    return this.orders.length - 1;
  }

  /** Writes the orders, by their numbers. */
  save(into: StateWords): void {
    into.put(this.orders.length);
    for (const order of this.orders) for (const actor of order) into.put(actor);
  }

  /** Reads what `save` wrote; orders that are here already are the first of those. */
  restore(from: StateWords): void {
    const count = from.get();
    for (let number = 0; number < count; number += 1) {
      const order = this.order.map(() => from.get());
      if (this.numberOf(order) !== number) throw new Error('the orders of a saved search are not those of this one');
    }
  }
}

function compare(a: Walker, b: Walker): number {
  for (let i = 0; i < a.r.length; i += 1) {
    if (a.r[i] === b.r[i] || i >= STACK || UNORDERED.has(i)) continue;
    return a.r[i]! - b.r[i]!;
  }
  for (let i = 0; i < a.a.length; i += 1) if (a.a[i] !== b.a[i]) return a.a[i]! - b.a[i]!;
  return 0;
}
