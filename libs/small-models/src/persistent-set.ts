import type { StepTable } from './step-table.ts';

/**
 * Chooses, in one state, processes whose steps suffice: a persistent set. Whatever the other processes do from there on, it neither changes what the
 * chosen ones are about to do nor is changed by it, so each path that starts with others has an equivalent that starts here.
 * @source Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996, ch. 4
 */
export class PersistentSets {
  private readonly steps: StepTable;
  private readonly processes: number;

  constructor(steps: StepTable, processes: number) {
    this.steps = steps;
    this.processes = processes;
  }

  /** @returns the chosen ones among the `enabled` processes of the state that `steps` looked at, as a mask: as few as can be, at least one when one is enabled */
  choose(enabled: number): number {
    let best = enabled;
    let fewest = bitCount(enabled);
    for (let left = enabled; left !== 0 && fewest > 1; left &= left - 1) {
      const chosen = this.closure(left & -left) & enabled;
      if (bitCount(chosen) < fewest) {
        best = chosen;
        fewest = bitCount(chosen);
      }
    }
    return best;
  }

  /** Adds to `set` whoever may some day touch what a member is about to write, or write what it is about to touch. */
  private closure(set: number): number {
    const { steps } = this;
    let closed = set;
    for (let left = set; left !== 0;) {
      const member = 31 - Math.clz32(left & -left);
      left &= left - 1;
      const writes = steps.writes(member);
      const touches = steps.reads(member) | writes;
      for (let q = 0; q < this.processes; q += 1) {
        if ((closed & (1 << q)) !== 0) continue;
        if ((steps.mayWrite(q) & touches) !== 0 || (steps.mayRead(q) & writes) !== 0) {
          closed |= 1 << q;
          left |= 1 << q;
        }
      }
    }
    return closed;
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count += 1;
  return count;
}
