import type { Model } from './model.ts';
import type { Packing } from './packing.ts';

/**
 * Symmetry among identical processes: of all states that differ only in which of them is where, one stands for all, the one in which their own
 * fields, as numbers, are in order.
 */
export class Symmetry {
  private readonly packing: Packing;
  private readonly groups: readonly (readonly number[])[];
  private readonly sorted: Uint32Array;

  constructor(model: Model, packing: Packing) {
    this.packing = packing;
    this.groups = model.identical;
    this.sorted = new Uint32Array(Math.max(1, ...this.groups.map((group) => group.length)));
  }

  /** Puts the state that stands for the one at `words[at…]` in its place. */
  canonicalise(words: Uint32Array, at: number): void {
    const { packing, sorted } = this;
    for (let g = 0; g < this.groups.length; g += 1) {
      const group = this.groups[g]!;
      let moved = false;
      for (let n = 0; n < group.length; n += 1) {
        const value = packing.group(words, at, group[n]!);
        let place = n;
        for (; place > 0 && sorted[place - 1]! > value; place -= 1) sorted[place] = sorted[place - 1]!;
        sorted[place] = value;
        moved ||= place !== n;
      }
      if (moved) for (let n = 0; n < group.length; n += 1) packing.setGroup(words, at, group[n]!, sorted[n]!);
    }
  }

  /** How many states the canonical one at `words[at…]` stands for, itself included. */
  orbit(words: Uint32Array, at: number): number {
    let orbit = 1;
    for (const group of this.groups) {
      let alike = 0;
      for (let n = 0; n < group.length; n += 1) {
        const same = n > 0 && this.packing.group(words, at, group[n]!) === this.packing.group(words, at, group[n - 1]!);
        alike = same ? alike + 1 : 1;
        orbit = (orbit * (n + 1)) / alike;
      }
    }
    return orbit;
  }
}
