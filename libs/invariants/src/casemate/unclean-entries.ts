/** How far the invalidation of an entry has come. */
export const PROGRESS = {
  /** The store was made. */
  stored: 0,
  /** A DSB made it visible. */
  visible: 1,
  /** A TLBI of stage 2 alone was issued. */
  stage2Issued: 2,
  /** … and completed. */
  stage2Done: 3,
  /** A TLBI that suffices was issued. */
  issued: 4,
} as const;

/** Entries that were made invalid and whose old translation may still be cached, oldest first. */
export class UncleanEntries {
  count = 0;
  slot = new Int32Array(64);
  /** Thread that made it invalid. */
  thread = new Int32Array(64);
  progress = new Uint8Array(64);
  oldLo = new Int32Array(64);
  oldHi = new Int32Array(64);
  /** Event that made it invalid. */
  since = new Float64Array(64);

  add(slot: number, thread: number, oldLo: number, oldHi: number, since: number): void {
    const i = this.count;
    if (i === this.slot.length) this.grow();
    this.slot[i] = slot;
    this.thread[i] = thread;
    this.progress[i] = PROGRESS.stored;
    this.oldLo[i] = oldLo;
    this.oldHi[i] = oldHi;
    this.since[i] = since;
    this.count = i + 1;
  }

  /** Moves entry `from` to place `to`, to close the ranks. */
  move(from: number, to: number): void {
    if (from === to) return;
    this.slot[to] = this.slot[from]!;
    this.thread[to] = this.thread[from]!;
    this.progress[to] = this.progress[from]!;
    this.oldLo[to] = this.oldLo[from]!;
    this.oldHi[to] = this.oldHi[from]!;
    this.since[to] = this.since[from]!;
  }

  /** The entry of `slot`, or -1. */
  find(slot: number): number {
    for (let i = this.count - 1; i >= 0; i--) if (this.slot[i] === slot) return i;
    return -1;
  }

  private grow(): void {
    const size = 2 * this.slot.length;
    const wide = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(size);
      to.set(from);
      return to;
    };
    this.slot = wide(this.slot);
    this.thread = wide(this.thread);
    this.oldLo = wide(this.oldLo);
    this.oldHi = wide(this.oldHi);
    const progress = new Uint8Array(size);
    progress.set(this.progress);
    this.progress = progress;
    const since = new Float64Array(size);
    since.set(this.since);
    this.since = since;
  }
}
