const NO_NUMBERS = new Int32Array(0);
const NO_FLAGS = new Uint8Array(0);

/**
 * Numbers of what changed, each once: going through them costs what they are, not what there is. Nothing is noted, and no room taken, before
 * somebody watches.
 */
export class ChangeList {
  /** The numbers, in order of their first change. */
  private numbers: Int32Array = NO_NUMBERS;
  private flags: Uint8Array = NO_FLAGS;
  private watched = false;
  /** How many there are. */
  count = 0;

  /** Notes changes from now on; who begins to watch finds numbers [0, count) changed. */
  watch(count: number): void {
    if (this.watched) return;
    this.watched = true;
    this.markRange(0, count);
  }

  /** Number `i` changed. */
  mark(i: number): void {
    if (this.watched && this.flags[i] !== 1) this.add(i);
  }

  /** Numbers [from, to) changed. */
  markRange(from: number, to: number): void {
    if (!this.watched) return;
    for (let i = from; i < to; i += 1) this.mark(i);
  }

  /** The `n`th of the numbers. */
  at(n: number): number {
    return this.numbers[n]!;
  }

  /** Nothing has changed from now on. */
  clear(): void {
    for (let n = 0; n < this.count; n += 1) this.flags[this.numbers[n]!] = 0;
    this.count = 0;
  }

  private add(i: number): void {
    if (i >= this.flags.length) {
      const flags = new Uint8Array(Math.max(8, 2 * i));
      flags.set(this.flags);
      this.flags = flags;
    }
    if (this.count === this.numbers.length) {
      const numbers = new Int32Array(Math.max(8, 2 * this.count));
      numbers.set(this.numbers);
      this.numbers = numbers;
    }
    this.flags[i] = 1;
    this.numbers[this.count] = i;
    this.count += 1;
  }
}
