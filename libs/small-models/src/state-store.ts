const EMPTY = 0;
const EXPANDED = 0x8000_0000;
const PARENT = 0x7fff_ffff;
/** Part of the hash table that may be taken. */
const LOAD_MAX = 0.5;
/** States that are looked up together. */
const BATCH = 64;

/**
 * Set of packed states, exact: every word of every state is kept and compared. States are numbered in the order in which they were added and
 * lie one after the other in an arena; each remembers the state that it was reached from. An open-addressing table finds them: its
 * slots hold the hash as well as the number, so that only a state that is met again is looked up in the arena.
 */
export class StateStore {
  /** How many states there are. */
  size = 0;
  /** The arena: state `n` begins at `n * words`. */
  data: Uint32Array;
  readonly words: number;
  private readonly maxBytes: number;
  private parents: Uint32Array;
  /** Each slot: EMPTY, or the number of a state + 1 in as many bits as number the slots, and in the bits above those of the state's hash. */
  private slots: Int32Array;
  private slotCount = 1 << 11;
  private slotLimit: number;
  private readonly hashes = new Int32Array(BATCH);
  /** What `readAhead` touched, so that touching is not optimised away. */
  private touched = 0;

  /** `maxBytes`: what arena and table may take together. */
  constructor(words: number, maxBytes: number) {
    this.words = words;
    this.maxBytes = maxBytes;
    this.data = new Uint32Array(words << 10);
    this.parents = new Uint32Array(1 << 10);
    this.slots = new Int32Array(this.slotCount);
    this.slotLimit = Math.floor(this.slotCount * LOAD_MAX);
  }

  /** Bytes that arena and table take now. */
  get bytes(): number {
    return this.data.byteLength + this.parents.byteLength + this.slots.byteLength;
  }

  /** Whether there is room for `count` more, growing if need be; false when that would take more than `maxBytes`. */
  reserve(count: number): boolean {
    while (this.size + count > this.parents.length) {
      const grown = Math.ceil(this.parents.length * 1.5);
      if (this.bytes + (grown - this.parents.length) * 4 * (this.words + 1) > this.maxBytes) return false;
      this.data = enlarged(this.data, grown * this.words);
      this.parents = enlarged(this.parents, grown);
    }
    while (this.size + count > this.slotLimit) {
      if (this.bytes + this.slots.byteLength > this.maxBytes) return false;
      this.rehash();
    }
    return true;
  }

  /**
   * Adds the state at `from[at…]`, reached from state `parent`; `reserve` has made room.
   * @returns its number when it is new, else the bitwise complement of the number that it has
   */
  add(from: Uint32Array, at: number, parent: number): number {
    return this.place(from, at, this.hash(from, at), parent);
  }

  /** Adds the first `count` states of `rows`, in order; row `n` was reached from `parents[n]`. */
  addAll(rows: Uint32Array, count: number, parents: Uint32Array): void {
    for (let row = 0; row < count; row += BATCH) {
      const batch = Math.min(BATCH, count - row);
      this.readAhead(rows, row, batch);
      for (let n = 0; n < batch; n += 1) this.place(rows, (row + n) * this.words, this.hashes[n]!, parents[row + n]!);
    }
  }

  private place(from: Uint32Array, at: number, h: number, parent: number): number {
    const { words, slots, data } = this;
    const last = this.slotCount - 1;
    let slot = h & last;
    for (let found = slots[slot]!; found !== EMPTY; found = slots[slot]!) {
      if (((found ^ h) & ~last) === 0) {
        const known = ((found & last) - 1) * words;
        let w = 0;
        while (w < words && data[known + w] === from[at + w]) w += 1;
        if (w === words) return ~((found & last) - 1);
      }
      slot = (slot + 1) & last;
    }
    const id = this.size;
    for (let w = 0; w < words; w += 1) data[id * words + w] = from[at + w]!;
    this.parents[id] = parent;
    slots[slot] = (h & ~last) | (id + 1);
    this.size = id + 1;
    return id;
  }

  /** The state that `id` was reached from; of the first one, itself. */
  parent(id: number): number {
    return this.parents[id]! & PARENT;
  }

  /** Notes that the steps of a state have been taken. */
  setExpanded(id: number): void {
    this.parents[id]! |= EXPANDED;
  }

  isExpanded(id: number): boolean {
    return this.parents[id]! >= EXPANDED;
  }

  /** Each word is multiplied and rotated in, then all is mixed: states that differ in a bit land far apart. */
  private hash(from: Uint32Array, at: number): number {
    let h = 0x9747_b28c;
    for (let w = 0; w < this.words; w += 1) {
      let k = Math.imul(from[at + w]!, 0xcc9e_2d51);
      k = (k << 15) | (k >>> 17);
      h ^= Math.imul(k, 0x1b87_3593);
      h = (h << 13) | (h >>> 19);
      h = (Math.imul(h, 5) + 0xe654_6b64) | 0;
    }
    h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
    return h ^ (h >>> 16);
  }

  /** Hashes `count` states from row `first` on, and touches their slots, in a loop of nothing but loads: so their cache misses overlap. */
  private readAhead(rows: Uint32Array, first: number, count: number): void {
    const { words, slots, hashes } = this;
    const last = this.slotCount - 1;
    for (let n = 0; n < count; n += 1) hashes[n] = this.hash(rows, (first + n) * words);
    let touched = 0;
    for (let n = 0; n < count; n += 1) touched ^= slots[hashes[n]! & last]!;
    this.touched ^= touched;
  }

  /** Doubles the table. */
  private rehash(): void {
    this.slotCount *= 2;
    const slots = new Int32Array(this.slotCount);
    const last = this.slotCount - 1;
    this.slots = slots;
    this.slotLimit = Math.floor(this.slotCount * LOAD_MAX);
    for (let id = 0; id < this.size; id += BATCH) {
      const batch = Math.min(BATCH, this.size - id);
      this.readAhead(this.data, id, batch);
      for (let n = 0; n < batch; n += 1) {
        const h = this.hashes[n]!;
        let slot = h & last;
        while (slots[slot] !== EMPTY) slot = (slot + 1) & last;
        slots[slot] = (h & ~last) | (id + n + 1);
      }
    }
  }
}

/** A copy of `from`, `length` words long, whose rest is 0. */
export function enlarged<T extends Uint32Array | Int32Array>(from: T, length: number): T {
  const to = new (from.constructor as new (length: number) => T)(length);
  to.set(from);
  return to;
}
