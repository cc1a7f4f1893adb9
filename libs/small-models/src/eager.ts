import type { Bounds, Family, Program } from './small-model.ts';
import { baseFamilies, I, LOCKED, NO_PROGRAM, pageOf, PC, SEEN, SmallModel, TABLE, V } from './small-model.ts';

/** What keeps a walker away from a freed page: nothing (S5), read-side sections and polling (S5R), pages that stay pages (S5T). */
export type Protection = 'none' | 'sections' | 'type-stable';

/** Entries of a child page. */
const K = 2;
/** Times a walker starts anew before it gives up with -EAGAIN. */
const RETRIES_MAX = 2;

const W0 = 1;
const W1 = 2;
const W2 = 3;
const W3 = 4;
const W4 = 5;
const C0 = 1;
const C1 = 2;
const C2 = 3;
const C3 = 4;
const C4 = 5;
const C5 = 6;
const C6 = 7;

const WALKER: Program = {
  labels: [
    ['W0', 'enters its read-side section'],
    ['W1', 'reads the entry'],
    ['W2', 'locks the child entry'],
    ['W3', 'unlocks the child entry'],
    ['W4', 'leaves its read-side section'],
  ],
  reads: ['E', 'S', 'D'],
  writes: ['D', 'X'],
  countMax: RETRIES_MAX,
};

function collapserProgram({ walkers }: Bounds, protection: Protection): Program {
  return {
    labels: [
      ['C0', 'reads the entry'],
      ['C1', 'locks a child entry'],
      ['C2', 'locks the entry (compare-and-exchange)'],
      ['C3', 'invalidates the TLB'],
      ['C4', 'makes the block'],
      ['C5', 'frees the page'],
      ['P', 'sees a walker outside'],
    ],
    reads: ['E', 'S', 'D', 'X'],
    writes: ['E', 'S', 'D', 'T'],
    countMax: protection === 'sections' ? Math.max(K, walkers) - 1 : K - 1,
  };
}

/** S5, S5R, S5T: the collapser locks every entry of the child page, then unlinks and frees it; there are no references. */
export class EagerModel extends SmallModel {
  private readonly D = this.start('D');
  private readonly X = this.start('X');
  private readonly protection: Protection;

  constructor(bounds: Bounds, protection: Protection) {
    const child: Family = { name: 'D', count: K * bounds.entries, max: 1, initial: () => 0 };
    const inside: Family = { name: 'X', count: bounds.walkers, max: 1, initial: () => 0 };
    super({
      bounds,
      families: [...baseFamilies(bounds), child, ...(protection === 'sections' ? [inside] : [])],
      programs: { walker: WALKER, collapser: collapserProgram(bounds, protection), mapper: NO_PROGRAM },
      // Walkers in sections are polled in order, so they differ.
      interchangeable: protection === 'sections' ? ['collapser'] : ['walker', 'collapser'],
    });
    this.protection = protection;
    if (protection !== 'sections') for (let w = 0; w < bounds.walkers; w += 1) this.state[this.own(w) + PC] = W1;
  }

  enabled(process: number): boolean {
    const { state } = this;
    const own = this.own(process);
    const pc = state[own + PC]!;
    if (process >= this.bounds.walkers) {
      if (pc === C1) return this.load(this.childEntry(state[own + SEEN]!, state[own + V]!)) === 0;
      if (pc === C6) return this.load(this.X + state[own + V]!) === 0;
    }
    return pc !== 0;
  }

  step(process: number): boolean {
    return process < this.bounds.walkers ? this.walk(process) : this.collapse(this.own(process));
  }

  private walk(process: number): boolean {
    const { state } = this;
    const own = this.own(process);
    const seen = state[own + SEEN]!;
    const k = state[own + I]! % K;
    switch (state[own + PC]) {
      case W0:
        this.store(this.X + process, 1);
        state[own + PC] = W1;
        return true;
      case W1: {
        const entry = this.load(this.E + state[own + I]!);
        if (entry >= TABLE) {
          state[own + SEEN] = entry;
          state[own + PC] = W2;
        } else if (entry === LOCKED) this.retry(own);
        else this.leave(own);
        return true;
      }
      case W2:
        return this.lockChild(own, seen, k);
      case W3: {
        const held = this.protection === 'type-stable' || this.use(seen);
        this.store(this.childEntry(seen, k), 0);
        this.leave(own);
        return held;
      }
      default:
        this.store(this.X + process, 0);
        this.next(own, W0);
        return true;
    }
  }

  private lockChild(own: number, seen: number, k: number): boolean {
    const stable = this.protection === 'type-stable';
    const held = stable || this.use(seen);
    if (!this.exchange(this.childEntry(seen, k), 0, 1)) {
      this.retry(own);
      return held;
    }
    this.state[own + PC] = W3;
    return stable ? this.use(seen) : held;
  }

  private retry(own: number): void {
    const { state } = this;
    state[own + SEEN] = 0;
    if (state[own + V] === RETRIES_MAX) this.leave(own);
    else {
      state[own + V]! += 1;
      state[own + PC] = W1;
    }
  }

  /** The round ends; with sections the walker leaves its own first. */
  private leave(own: number): void {
    if (this.protection !== 'sections') return this.next(own, W1);
    this.state[own + SEEN] = 0;
    this.state[own + V] = 0;
    this.state[own + PC] = W4;
  }

  private collapse(own: number): boolean {
    const { state } = this;
    const seen = state[own + SEEN]!;
    const v = state[own + V]!;
    switch (state[own + PC]) {
      case C0:
        this.readEntry(own, C1, C0);
        return true;
      case C1: {
        const held = this.use(seen);
        this.exchange(this.childEntry(seen, v), 0, 1);
        this.count(own, K, C2);
        return held;
      }
      case C2:
        return this.lockSeen(own, C3, C0);
      case C3:
        return this.invalidate(own, C4);
      case C4:
        return this.makeBlock(own, this.protection === 'sections' ? C6 : C5);
      case C6:
        this.load(this.X + v);
        this.count(own, this.bounds.walkers, C5);
        return true;
      default:
        return this.freeSeen(own, C0);
    }
  }

  /** One of `total` is done: on to the next, or to `pc` after the last. */
  private count(own: number, total: number, pc: number): void {
    const { state } = this;
    const last = state[own + V]! + 1 === total;
    state[own + V] = last ? 0 : state[own + V]! + 1;
    if (last) state[own + PC] = pc;
  }

  private childEntry(entry: number, k: number): number {
    return this.D + K * pageOf(entry) + k;
  }
}
