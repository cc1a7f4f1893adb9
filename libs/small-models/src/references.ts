import type { Bounds, Family, Program } from './small-model.ts';
import { baseFamilies, BLOCK, FREED, I, LOCKED, NO_PROGRAM, pageOf, PC, REUSED, SEEN, SmallModel, tableEntry, V } from './small-model.ts';

/** How a walker takes a reference, and what it does with one. */
export interface ReferenceDesign {
  /** Take none when the count is zero already. */
  readonly unlessZero: boolean;
  /** Look again whether the entry still links the page: `use` counts only then. */
  readonly revalidate: boolean;
}

const W1 = 1;
const W2 = 2;
const W3 = 3;
const W4 = 4;
const W5 = 5;
const W6 = 6;
const W7 = 7;
const W8 = 8;
const C0 = 1;
const C1 = 2;
const C2 = 3;
const C3 = 4;
const C4 = 5;
const C5 = 6;
const M0 = 1;
const M1 = 2;
const M2 = 3;
const M3 = 4;
const M4 = 5;
const M5 = 6;
const M6 = 7;

const REFS = ['E', 'R', 'S'];

const COLLAPSER: Program = {
  labels: [
    ['C0', 'reads the entry'],
    ['C1', 'locks the entry (compare-and-exchange)'],
    ['C2', 'invalidates the TLB'],
    ['C3', 'makes the block'],
    ['C4', 'drops the reference of the link'],
    ['C5', 'frees the page'],
  ],
  reads: REFS,
  writes: ['E', 'T', 'R', 'S'],
  countMax: 0,
};

const NAIVE_WALKER: Program = {
  labels: [
    ['W1', 'reads the entry'],
    ['W2', 'takes a reference'],
    ['W3', 'uses the page'],
    ['W4', 'drops its reference'],
    ['W5', 'frees the page'],
  ],
  reads: REFS,
  writes: ['R', 'S'],
  countMax: 0,
};

function safeWalker({ unlessZero, revalidate }: ReferenceDesign): Program {
  return {
    labels: [
      ['W1', 'reads the entry'],
      ['W2', unlessZero ? 'takes a reference unless there is none left' : 'takes a reference, even the first'],
      ['W3', revalidate ? 'reads the entry again' : 'does not look at the entry again'],
      ['W4', 'uses the page'],
      ['W5', 'drops its reference'],
      ['W6', 'drops its reference: the entry has changed'],
      ['W7', 'frees the page'],
      ['W8', 'frees the page and starts anew'],
    ],
    reads: REFS,
    writes: ['R', 'S'],
    countMax: 0,
  };
}

function mapper({ entries }: Bounds): Program {
  return {
    labels: [
      ['M0', 'reads the entry'],
      ['M1', 'locks the block (compare-and-exchange)'],
      ['M2', 'invalidates the TLB'],
      ['M3', 'takes a freed page, or looks at the next'],
      ['M4', 'sets its reference count to 1'],
      ['M5', 'links the page'],
      ['M6', 'makes the block again: no page is free'],
    ],
    reads: REFS,
    writes: ['E', 'T', 'R', 'S'],
    countMax: entries - 1,
  };
}

/** S1, S2, S2N: a page carries a reference count, 1 for its link; whoever drops the last reference frees it. */
abstract class References extends SmallModel {
  protected readonly R = this.start('R');
  /** Counts are kept modulo a power of two beyond every value that a correct design reaches, so that a mutant's count below zero is a state as well. */
  private readonly countMask: number;

  constructor(bounds: Bounds, walker: Program, countMask: number) {
    const counts: Family = { name: 'R', count: bounds.entries, max: countMask, initial: () => 1 };
    super({
      bounds,
      families: [...baseFamilies(bounds), counts],
      programs: { walker, collapser: COLLAPSER, mapper: bounds.mappers > 0 ? mapper(bounds) : NO_PROGRAM },
      interchangeable: ['walker', 'collapser', 'mapper'],
    });
    this.countMask = countMask;
  }

  enabled(process: number): boolean {
    return !this.done(process);
  }

  step(process: number): boolean {
    const own = this.own(process);
    const { walkers, collapsers } = this.bounds;
    return process < walkers ? this.walk(own) : process < walkers + collapsers ? this.collapse(own) : this.map(own);
  }

  protected abstract walk(own: number): boolean;

  protected add(page: number, change: number): number {
    const count = (this.load(this.R + page) + change) & this.countMask;
    this.store(this.R + page, count);
    return count;
  }

  /** Drops a reference. The last one goes to `freePc`; another one ends the round. */
  protected put(own: number, freePc: number, first: number): void {
    const page = pageOf(this.state[own + SEEN]!);
    if (this.add(page, -1) === 0) this.state[own + PC] = freePc;
    else this.next(own, first);
  }

  private collapse(own: number): boolean {
    const { state } = this;
    switch (state[own + PC]) {
      case C0:
        this.readEntry(own, C1, C0);
        return true;
      case C1:
        return this.lockSeen(own, C2, C0);
      case C2:
        return this.invalidate(own, C3);
      case C3:
        return this.makeBlock(own, C4);
      case C4:
        this.put(own, C5, C0);
        return true;
      default:
        return this.freeSeen(own, C0);
    }
  }

  private map(own: number): boolean {
    const { state } = this;
    const i = state[own + I]!;
    const v = state[own + V]!;
    switch (state[own + PC]) {
      case M0:
        if (this.load(this.E + i) === BLOCK) state[own + PC] = M1;
        else this.next(own, M0);
        return true;
      case M1:
        if (this.exchange(this.E + i, BLOCK, LOCKED)) state[own + PC] = M2;
        else this.next(own, M0);
        return true;
      case M2:
        return this.invalidate(own, M3);
      case M3:
        if (this.load(this.S + v) === FREED) {
          this.store(this.S + v, REUSED);
          state[own + PC] = M4;
        } else if (v + 1 < this.bounds.entries) state[own + V] = v + 1;
        else {
          state[own + V] = 0;
          state[own + PC] = M6;
        }
        return true;
      case M4:
        this.store(this.R + v, 1);
        state[own + PC] = M5;
        return true;
      case M5:
        this.store(this.E + i, tableEntry(v, 2));
        this.next(own, M0);
        return true;
      default:
        this.store(this.E + i, BLOCK);
        this.next(own, M0);
        return true;
    }
  }
}

/** S1: the walker reads the entry, then takes a reference to the page, which may be freed by then. */
export class NaiveReferences extends References {
  constructor(bounds: Bounds) {
    super(bounds, NAIVE_WALKER, powerOfTwoAbove(2 * bounds.walkers + 3) - 1);
  }

  protected walk(own: number): boolean {
    const { state } = this;
    const seen = state[own + SEEN]!;
    switch (state[own + PC]) {
      case W1:
        this.readEntry(own, W2, W1);
        return true;
      case W2:
        this.add(pageOf(seen), 1);
        state[own + PC] = W3;
        return true;
      case W3:
        state[own + PC] = W4;
        return this.use(seen);
      case W4:
        this.put(own, W5, W1);
        return true;
      default:
        return this.freeSeen(own, W1);
    }
  }
}

/** S2: the walker takes a reference unless there is none left, then looks whether the entry still links the page. S2N does not look. */
export class SafeReferences extends References {
  private readonly design: ReferenceDesign;

  constructor(bounds: Bounds, design: ReferenceDesign) {
    // Checked references never go below zero: a walker each and the link.
    super(bounds, safeWalker(design), powerOfTwoAbove(design.unlessZero ? bounds.walkers + 2 : 2 * bounds.walkers + 3) - 1);
    this.design = design;
  }

  protected walk(own: number): boolean {
    const { state } = this;
    const seen = state[own + SEEN]!;
    const page = pageOf(seen);
    switch (state[own + PC]) {
      case W1:
        this.readEntry(own, W2, W1);
        return true;
      case W2:
        if (this.design.unlessZero && this.load(this.R + page) === 0) this.again(own);
        else {
          this.add(page, 1);
          state[own + PC] = W3;
        }
        return true;
      case W3:
        state[own + PC] = !this.design.revalidate || this.load(this.E + state[own + I]!) === seen ? W4 : W6;
        return true;
      case W4:
        state[own + PC] = W5;
        return this.use(seen);
      case W5:
        this.put(own, W7, W1);
        return true;
      case W6:
        if (this.add(page, -1) === 0) state[own + PC] = W8;
        else this.again(own);
        return true;
      case W7:
        return this.freeSeen(own, W1);
      default: {
        const held = this.free(seen);
        this.again(own);
        return held;
      }
    }
  }

  private again(own: number): void {
    this.state[own + SEEN] = 0;
    this.state[own + PC] = W1;
  }
}

function powerOfTwoAbove(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
