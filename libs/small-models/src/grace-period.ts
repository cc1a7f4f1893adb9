import type { Bounds, Family, Program } from './small-model.ts';
import { baseFamilies, BLOCK, FREED, I, LOCKED, NO_PROGRAM, PC, REUSED, SEEN, SmallModel, tableEntry, V } from './small-model.ts';

/** How the collapser waits for walkers: it polls each in turn, waits for those that were inside at one moment, or not at all. */
export type GracePeriod = 'polled' | 'ideal' | 'none';

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
const M0 = 1;
const M1 = 2;
const M2 = 3;
const M3 = 4;
const M4 = 5;
const M5 = 6;

function walkerProgram(grace: GracePeriod): Program {
  return {
    labels: [
      ['W1', 'enters its read-side section'],
      ['W2', 'reads the entry'],
      ['W3', 'uses the page'],
      ['W4', 'leaves its read-side section'],
    ],
    reads: grace === 'ideal' ? ['E', 'S', 'need'] : ['E', 'S'],
    writes: grace === 'ideal' ? ['X', 'need'] : ['X'],
    countMax: 0,
  };
}

function collapserProgram(grace: GracePeriod, { walkers }: Bounds): Program {
  return {
    labels: [
      ['C0', 'reads the entry'],
      ['C1', 'locks the entry (compare-and-exchange)'],
      ['C2', 'invalidates the TLB'],
      ['C3', 'makes the block'],
      ['C4', grace === 'ideal' ? 'notes which walkers are inside' : 'sees a walker outside'],
      ['C5', grace === 'ideal' ? 'sees that they have left, frees the page' : 'frees the page'],
    ],
    reads: ['E', 'S', 'X', 'need'],
    writes: ['E', 'S', 'T', 'need'],
    countMax: grace === 'polled' ? walkers - 1 : 0,
  };
}

function mapperProgram({ entries }: Bounds): Program {
  return {
    labels: [
      ['M0', 'reads the entry'],
      ['M1', 'takes a freed page, or looks at the next'],
      ['M2', 'locks the block (compare-and-exchange)'],
      ['M3', 'invalidates the TLB'],
      ['M4', 'links the page'],
      ['M5', 'gives the page back: the entry has changed'],
    ],
    reads: ['E', 'S'],
    writes: ['E', 'S', 'T'],
    countMax: entries - 1,
  };
}

/** S3, S3A: walks lie in read-side sections; the collapser waits for a grace period between unlinking a page and freeing it. */
export class GracePeriodModel extends SmallModel {
  private readonly X = this.start('X');
  private readonly grace: GracePeriod;

  constructor(bounds: Bounds, grace: GracePeriod) {
    const inside: Family = { name: 'X', count: bounds.walkers, max: 1, initial: () => 0 };
    const need: Family = { name: 'need', count: bounds.collapsers, max: 2 ** bounds.walkers - 1, initial: () => 0 };
    super({
      bounds,
      families: [...baseFamilies(bounds), inside, ...(grace === 'ideal' ? [need] : [])],
      programs: {
        walker: walkerProgram(grace),
        collapser: collapserProgram(grace, bounds),
        mapper: bounds.mappers > 0 ? mapperProgram(bounds) : NO_PROGRAM,
      },
      // Walkers are polled in order and named in `need`, so they differ; collapsers have a `need` each.
      interchangeable: grace === 'ideal' ? ['mapper'] : ['collapser', 'mapper'],
    });
    this.grace = grace;
  }

  enabled(process: number): boolean {
    const { walkers } = this.bounds;
    const own = this.own(process);
    const pc = this.state[own + PC]!;
    if (process >= walkers && process < walkers + this.bounds.collapsers) {
      if (pc === C4 && this.grace === 'polled') return this.load(this.X + this.state[own + V]!) === 0;
      if (pc === C5 && this.grace === 'ideal') return this.load(this.needOf(process)) === 0;
    }
    return pc !== 0;
  }

  step(process: number): boolean {
    const { walkers, collapsers } = this.bounds;
    return process < walkers ? this.walk(process) : process < walkers + collapsers ? this.collapse(process) : this.map(process);
  }

  private walk(process: number): boolean {
    const { state } = this;
    const own = this.own(process);
    switch (state[own + PC]) {
      case W1:
        this.store(this.X + process, 1);
        state[own + PC] = W2;
        return true;
      case W2: {
        const entry = this.load(this.E + state[own + I]!);
        state[own + SEEN] = entry <= BLOCK ? 0 : entry;
        state[own + PC] = entry <= BLOCK ? W4 : W3;
        return true;
      }
      case W3:
        return this.useSeen(own, W4);
      default:
        this.store(this.X + process, 0);
        if (this.grace === 'ideal') this.leaveAll(process);
        this.next(own, W1);
        return true;
    }
  }

  private collapse(process: number): boolean {
    const { state } = this;
    const own = this.own(process);
    switch (state[own + PC]) {
      case C0:
        this.readEntry(own, C1, C0);
        return true;
      case C1:
        return this.lockSeen(own, C2, C0);
      case C2:
        return this.invalidate(own, C3);
      case C3:
        return this.makeBlock(own, this.grace === 'none' ? C5 : C4);
      case C4:
        if (this.grace === 'ideal') this.noteInside(process);
        else this.poll(own);
        return true;
      default:
        return this.freeSeen(own, C0);
    }
  }

  /** The awaited walker is outside: on to the next one, or to the free after the last. */
  private poll(own: number): void {
    const { state } = this;
    const v = state[own + V]!;
    this.load(this.X + v);
    const last = v + 1 === this.bounds.walkers;
    state[own + V] = last ? 0 : v + 1;
    if (last) state[own + PC] = C5;
  }

  private noteInside(process: number): void {
    let inside = 0;
    for (let w = 0; w < this.bounds.walkers; w += 1) inside |= this.load(this.X + w) << w;
    this.store(this.needOf(process), inside);
    this.state[this.own(process) + PC] = C5;
  }

  private leaveAll(walker: number): void {
    for (let c = 0; c < this.bounds.collapsers; c += 1) {
      const need = this.needOf(this.bounds.walkers + c);
      this.store(need, this.load(need) & ~(1 << walker));
    }
  }

  private needOf(process: number): number {
    return this.start('need') + process - this.bounds.walkers;
  }

  private map(process: number): boolean {
    const { state } = this;
    const own = this.own(process);
    const i = state[own + I]!;
    const v = state[own + V]!;
    switch (state[own + PC]) {
      case M0:
        if (this.load(this.E + i) === BLOCK) state[own + PC] = M1;
        else this.next(own, M0);
        return true;
      case M1:
        if (this.load(this.S + v) === FREED) {
          this.store(this.S + v, REUSED);
          state[own + PC] = M2;
        } else if (v + 1 < this.bounds.entries) state[own + V] = v + 1;
        else this.next(own, M0);
        return true;
      case M2:
        state[own + PC] = this.exchange(this.E + i, BLOCK, LOCKED) ? M3 : M5;
        return true;
      case M3:
        return this.invalidate(own, M4);
      case M4:
        this.store(this.E + i, tableEntry(v, 2));
        this.next(own, M0);
        return true;
      default:
        this.store(this.S + v, FREED);
        this.next(own, M0);
        return true;
    }
  }
}
