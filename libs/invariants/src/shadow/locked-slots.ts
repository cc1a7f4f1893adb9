import { grown } from './tables.ts';

/**
 * Descriptors that hold the locked marker now: who locked them, when, and what they held before. As many as walkers are between
 * break and make, so a linear search is the fastest.
 */
export class LockedSlots {
  count = 0;
  frame = new Int32Array(16);
  slot = new Uint16Array(16);
  actor = new Uint16Array(16);
  since = new Float64Array(16);
  beforeLo = new Int32Array(16);
  beforeHi = new Int32Array(16);

  /** Index of the locked `slot` of table `frame`, or -1. */
  find(frame: number, slot: number): number {
    for (let i = this.count - 1; i >= 0; i--) if (this.frame[i] === frame && this.slot[i] === slot) return i;
    return -1;
  }

  /** Remembers a slot that was locked. */
  add(frame: number, slot: number, actor: number, seq: number, beforeLo: number, beforeHi: number): void {
    const i = this.count;
    if (i === this.frame.length) this.grow();
    this.frame[i] = frame;
    this.slot[i] = slot;
    this.actor[i] = actor;
    this.since[i] = seq;
    this.beforeLo[i] = beforeLo;
    this.beforeHi[i] = beforeHi;
    this.count = i + 1;
  }

  /** Forgets entry `i`. */
  remove(i: number): void {
    const last = this.count - 1;
    this.frame[i] = this.frame[last]!;
    this.slot[i] = this.slot[last]!;
    this.actor[i] = this.actor[last]!;
    this.since[i] = this.since[last]!;
    this.beforeLo[i] = this.beforeLo[last]!;
    this.beforeHi[i] = this.beforeHi[last]!;
    this.count = last;
  }

  /** Forgets every slot of a table that was freed. */
  removeTable(frame: number): void {
    for (let i = this.count - 1; i >= 0; i--) if (this.frame[i] === frame) this.remove(i);
  }

  private grow(): void {
    const size = 2 * this.frame.length;
    this.frame = grown(this.frame, new Int32Array(size));
    this.slot = grown(this.slot, new Uint16Array(size));
    this.actor = grown(this.actor, new Uint16Array(size));
    this.since = grown(this.since, new Float64Array(size));
    this.beforeLo = grown(this.beforeLo, new Int32Array(size));
    this.beforeHi = grown(this.beforeHi, new Int32Array(size));
  }
}
