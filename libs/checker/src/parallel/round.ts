import type { Expansion, Settlement } from './search-share.ts';
import { CHOICES, HOW, SETTLED, SETTLED_WORDS } from './search-share.ts';

/** A step of a round, as the shares have settled it. */
export interface SettledStep {
  readonly choice: number;
  /** Which share has the state that it leads to, as which number, and whether that is new. */
  readonly owner: number;
  readonly local: number;
  readonly isNew: boolean;
  /** The order in which the actors stand there. */
  readonly order: number;
  readonly preempts: boolean;
  /** Whether it is to be judged. */
  readonly fresh: boolean;
}

const NOBODY = 0xff;

/** What the shares say of the steps from some states, put together in the order in which one search would have made them. */
export class Round {
  /** The states that were expanded, in order of their turns. */
  readonly ids: Int32Array;
  /** Of each: how many steps it has; 0 or STUCK = nobody can step. */
  readonly ready: Uint8Array;
  /** By step: the share that has the state it leads to; NOBODY = there is no such step. */
  private readonly owners: Uint8Array;
  private readonly locals: Int32Array;
  private readonly hows: Int32Array;
  private readonly orders: Int32Array;

  /**
   * @param ids the states
   * @param order number of an order by the share that named it and the number that it has there
   */
  constructor(
    ids: Int32Array,
    turns: readonly Int32Array[],
    expansions: readonly Expansion[],
    settlements: readonly Settlement[],
    order: (teller: number, number: number) => number,
  ) {
    const steps = ids.length * CHOICES;
    this.ids = ids;
    this.ready = new Uint8Array(ids.length);
    this.owners = new Uint8Array(steps).fill(NOBODY);
    this.locals = new Int32Array(steps);
    this.hows = new Int32Array(steps);
    this.orders = new Int32Array(steps);
    for (const [share, { ready }] of expansions.entries()) for (const [n, count] of ready.entries()) this.ready[turns[share]![n]!] = count;
    for (const [owner, { states }] of settlements.entries()) {
      for (let n = 0; n < states.length; n += SETTLED_WORDS) {
        const step = states[n + SETTLED.step]!;
        const how = states[n + SETTLED.how]!;
        this.owners[step] = owner;
        this.locals[step] = states[n + SETTLED.state]!;
        this.hows[step] = how;
        this.orders[step] = order(states[n + SETTLED.teller]!, how >> HOW.orderShift);
      }
    }
    for (const { fresh } of settlements) for (const step of fresh) this.hows[step]! |= HOW.fresh;
  }

  /** The steps from the state whose turn is `turn`, in order of their choices. */
  *steps(turn: number): Generator<SettledStep> {
    for (let choice = 0; choice < CHOICES; choice += 1) {
      const step = turn * CHOICES + choice;
      const owner = this.owners[step]!;
      if (owner === NOBODY) continue;
      const local = this.locals[step]!;
      const how = this.hows[step]!;
      yield {
        choice,
        owner,
        local: local < 0 ? ~local : local,
        isNew: local >= 0,
        order: this.orders[step]!,
        preempts: (how & HOW.preempts) !== 0,
        fresh: (how & HOW.fresh) !== 0,
      };
    }
  }

  /** How many new states the steps of one state lead to. */
  newStates(turn: number): number {
    let count = 0;
    for (const { isNew } of this.steps(turn)) if (isNew) count += 1;
    return count;
  }
}
