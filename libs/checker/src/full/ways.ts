import { chosen } from './choices.ts';

/** An order of actors comes above the choice. */
const ORDER_SHIFT = 8;
const CHOICE = 2 ** ORDER_SHIFT - 1;
/** Above both, in a saved search: the state has been expanded. */
const EXPANDED = 1 << 24;

/** Order in which actors can come to stand, by number: of each present actor, who it was before. */
type Orders = readonly (readonly number[])[];

/** Who makes each choice on a way to a state, and of each actor as it stands there, who it is on the way. */
export interface Way {
  readonly schedule: number[];
  readonly who: readonly number[];
}

/** The last step of a way in one number: the choice, of an actor as it stood before, and the number of the order in which actors stand since. */
export function viaOf(choice: number, order: number): number {
  return choice + (order << ORDER_SHIFT);
}

/** The choice of a step. */
export function choiceOf(via: number): number {
  return via & CHOICE;
}

/** Number of the order in which actors stand after a step. */
function orderOf(via: number): number {
  return via >> ORDER_SHIFT;
}

/** A step as a saved search has it, with whether the state it led to was expanded. */
export function savedVia(via: number, expanded: boolean): number {
  return via + (expanded ? EXPANDED : 0);
}

/** The step that `savedVia` was given, and whether the state was expanded. */
export function restoredVia(saved: number): { readonly via: number; readonly expanded: boolean } {
  return { via: saved & ~EXPANDED, expanded: (saved & EXPANDED) !== 0 };
}

/** Numbers of the states on the way to a state, without the first one, which is number 0. */
export function statesTo(id: number, parentOf: (id: number) => number): number[] {
  const ids: number[] = [];
  for (let at = id; at !== 0; at = parentOf(at)) ids.push(at);
  return ids.reverse();
}

/** Tells ways by the names that actors have at the beginning, though they exchange their names from state to state. */
export class Ways {
  private readonly orders: Orders;
  private readonly firstOrder: number;

  /**
   * @param orders in which actors can come to stand (`CanonicalForm.orders`)
   * @param firstOrder number of that in which they stand at the beginning
   */
  constructor(orders: Orders, firstOrder: number) {
    this.orders = orders;
    this.firstOrder = firstOrder;
  }

  /** Who each actor is on a way that has come to stand in an order, if before it was `who`. */
  stands(who: readonly number[], order: number): readonly number[] {
    return this.orders[order]!.map((before) => who[before]!);
  }

  /** A way that goes on by these steps. */
  goingOn({ schedule, who }: Way, steps: readonly { readonly actor: number; readonly order: number }[]): Way {
    const further = [...schedule];
    let stands = who;
    for (const { actor, order } of steps) {
      further.push(chosen(stands, actor));
      stands = this.stands(stands, order);
    }
    return { schedule: further, who: stands };
  }

  /** The way of these steps, from the beginning on. */
  along(vias: readonly number[]): Way {
    let who = this.orders[this.firstOrder]!;
    const schedule: number[] = [];
    for (const via of vias) {
      schedule.push(chosen(who, choiceOf(via)));
      who = this.stands(who, orderOf(via));
    }
    return { schedule, who };
  }
}
