import type { Bounds, Family, Program } from './small-model.ts';
import { baseFamilies, BLOCK, I, LOCKED, NO_PROGRAM, PC, SEEN, SmallModel } from './small-model.ts';

const W1 = 1;
const W2 = 2;
const W3 = 3;
const W4 = 4;
const C0 = 1;
const C1 = 2;
const C2 = 3;
const C3 = 4;
const C4 = 5;
const C5 = 6;
const C6 = 7;

const WALKER: Program = {
  labels: [
    ['W1', 'takes the lock for reading'],
    ['W2', 'reads the entry'],
    ['W3', 'uses the page'],
    ['W4', 'lets the lock go'],
  ],
  reads: ['L', 'E', 'S'],
  writes: ['L'],
  countMax: 0,
};

const COLLAPSER: Program = {
  labels: [
    ['C0', 'takes the lock for writing'],
    ['C1', 'reads the entry'],
    ['C2', 'locks the entry'],
    ['C3', 'invalidates the TLB'],
    ['C4', 'makes the block'],
    ['C5', 'frees the page'],
    ['C6', 'lets the lock go'],
  ],
  reads: ['L', 'E', 'S'],
  writes: ['L', 'E', 'S', 'T'],
  countMax: 0,
};

/** S4: walkers hold a lock for reading, the collapser for writing. Without `locked`, walkers do not take it. */
export class RwlockModel extends SmallModel {
  private readonly L = this.start('L');
  private readonly writer: number;
  private readonly locked: boolean;

  constructor(bounds: Bounds, locked: boolean) {
    // The writer is one above the greatest number of readers.
    const lock: Family = { name: 'L', count: 1, max: bounds.walkers + 1, initial: () => 0 };
    super({
      bounds,
      families: [...baseFamilies(bounds), lock],
      programs: { walker: WALKER, collapser: COLLAPSER, mapper: NO_PROGRAM },
      interchangeable: ['walker', 'collapser'],
    });
    this.writer = bounds.walkers + 1;
    this.locked = locked;
  }

  enabled(process: number): boolean {
    const pc = this.state[this.own(process) + PC]!;
    if (process >= this.bounds.walkers) return pc === C0 ? this.load(this.L) === 0 : pc !== 0;
    return pc === W1 && this.locked ? this.load(this.L) !== this.writer : pc !== 0;
  }

  step(process: number): boolean {
    return process < this.bounds.walkers ? this.walk(this.own(process)) : this.collapse(this.own(process));
  }

  private walk(own: number): boolean {
    const { state } = this;
    switch (state[own + PC]) {
      case W1:
        if (this.locked) this.store(this.L, this.load(this.L) + 1);
        state[own + PC] = W2;
        return true;
      case W2:
        this.readOr(own, W3, W4);
        return true;
      case W3:
        return this.useSeen(own, W4);
      default:
        if (this.locked) this.store(this.L, this.load(this.L) - 1);
        this.next(own, W1);
        return true;
    }
  }

  private collapse(own: number): boolean {
    const { state } = this;
    switch (state[own + PC]) {
      case C0:
        this.load(this.L);
        this.store(this.L, this.writer);
        state[own + PC] = C1;
        return true;
      case C1:
        this.readOr(own, C2, C6);
        return true;
      case C2:
        this.store(this.E + state[own + I]!, LOCKED);
        state[own + PC] = C3;
        return true;
      case C3:
        return this.invalidate(own, C4);
      case C4:
        return this.makeBlock(own, C5);
      case C5: {
        const held = this.free(state[own + SEEN]!);
        state[own + SEEN] = 0;
        state[own + PC] = C6;
        return held;
      }
      default:
        this.store(this.L, 0);
        this.next(own, C0);
        return true;
    }
  }

  /** Reads the entry: a table goes to `tablePc`, anything else to `otherPc`. */
  private readOr(own: number, tablePc: number, otherPc: number): void {
    const entry = this.load(this.E + this.state[own + I]!);
    const table = entry > BLOCK;
    this.state[own + SEEN] = table ? entry : 0;
    this.state[own + PC] = table ? tablePc : otherPc;
  }
}
