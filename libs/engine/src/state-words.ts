/** Arrays of integers that fit into words. */
type Integers = Int32Array | Uint32Array | Uint16Array | Uint8Array | Int8Array;

/** Part of a machine's state as 32-bit words, written and read in one order; doubles take two. Grows as needed, and is used again and again. */
export class StateWords {
  words: Int32Array = new Int32Array(256);
  /** Words written, or read so far. */
  length = 0;
  private readonly wide = new Float64Array(1);
  private readonly halves = new Int32Array(this.wide.buffer);

  /** Begins to write anew. */
  clear(): void {
    this.length = 0;
  }

  /** Begins to read `words`, which must not be written to. */
  open(words: Int32Array): void {
    this.words = words;
    this.length = 0;
  }

  /** Writes an integer. */
  put(value: number): void {
    if (this.length === this.words.length) this.grow(1);
    this.words[this.length] = value;
    this.length += 1;
  }

  /** Writes a double. */
  putWide(value: number): void {
    this.wide[0] = value;
    this.put(this.halves[0]!);
    this.put(this.halves[1]!);
  }

  /** Writes elements [from, to) of an array of integers. */
  putAll(array: Integers, from = 0, to = array.length): void {
    const { length } = this;
    if (length + to - from > this.words.length) this.grow(to - from);
    const { words } = this;
    for (let i = from; i < to; i += 1) words[length + i - from] = array[i]!;
    this.length = length + to - from;
  }

  /** Writes elements [from, to) of an array of doubles. */
  putAllWide(array: Float64Array, from = 0, to = array.length): void {
    for (let i = from; i < to; i += 1) this.putWide(array[i]!);
  }

  /** Reads an integer. */
  get(): number {
    const value = this.words[this.length]!;
    this.length += 1;
    return value;
  }

  /** Reads a double. */
  getWide(): number {
    this.halves[0] = this.get();
    this.halves[1] = this.get();
    return this.wide[0]!;
  }

  /** Reads elements [from, to) of an array of integers. */
  getAll(array: Integers, from = 0, to = array.length): void {
    const { words, length } = this;
    for (let i = from; i < to; i += 1) array[i] = words[length + i - from]!;
    this.length = length + to - from;
  }

  /** Reads elements [from, to) of an array of doubles. */
  getAllWide(array: Float64Array, from = 0, to = array.length): void {
    for (let i = from; i < to; i += 1) array[i] = this.getWide();
  }

  /** What was written, in an array of its own. */
  copy(): Int32Array {
    return this.words.slice(0, this.length);
  }

  /** Whether what was written is `words`. */
  equals(words: Int32Array): boolean {
    if (words.length !== this.length) return false;
    for (let i = 0; i < this.length; i += 1) if (words[i] !== this.words[i]) return false;
    return true;
  }

  private grow(by: number): void {
    const bigger = new Int32Array(Math.max(2 * this.words.length, this.length + by));
    bigger.set(this.words);
    this.words = bigger;
  }
}
