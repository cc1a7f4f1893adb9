import type { Model } from './model.ts';

/**
 * Chooses, in one state, processes whose steps suffice: a persistent set. Whatever the other processes do from there on, it neither changes what the
 * chosen ones are about to do nor is changed by it, so each path that starts with others has an equivalent that starts here.
 * @source Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996, ch. 4
 */
export class PersistentSets {
  /** By process: locations that its next step (or what it awaits) reads and writes. The search fills them in. */
  readonly nextReads: Uint32Array;
  readonly nextWrites: Uint32Array;
  private readonly model: Model;
  private readonly count: number;
  private readonly mayRead: Uint32Array;
  private readonly mayWrite: Uint32Array;

  constructor(model: Model) {
    this.model = model;
    this.count = model.fields.processes.length;
    this.nextReads = new Uint32Array(this.count);
    this.nextWrites = new Uint32Array(this.count);
    this.mayRead = new Uint32Array(this.count);
    this.mayWrite = new Uint32Array(this.count);
  }

  /** @returns the chosen ones among the `enabled` processes, as a mask: as few as can be, at least one when one is enabled */
  choose(enabled: number): number {
    const { model } = this;
    const counted = ~model.neverRead;
    for (let p = 0; p < this.count; p += 1) {
      this.mayRead[p] = model.mayRead(p) & counted;
      this.mayWrite[p] = model.mayWrite(p) & counted;
    }
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
    let closed = set;
    for (let left = set; left !== 0;) {
      const member = 31 - Math.clz32(left & -left);
      left &= left - 1;
      const writes = this.nextWrites[member]!;
      const touches = this.nextReads[member]! | writes;
      for (let q = 0; q < this.count; q += 1) {
        if ((closed & (1 << q)) !== 0) continue;
        if ((this.mayWrite[q]! & touches) !== 0 || (this.mayRead[q]! & writes) !== 0) {
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
