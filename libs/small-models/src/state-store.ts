const EMPTY = 0;
const EXPANDED = 0x8000_0000;
const PARENT = 0x7fff_ffff;
/** Part of the hash table that may be taken. */
const LOAD_MAX = 0.6;

/**
 * Set of packed states, exact: every word of every state is kept and compared. States are numbered in the order in which they were added and
 * lie one after the other in an arena; each remembers the state that it was reached from. An open-addressing table finds them: its
 * slots hold the words as well as the number, so that a state met again, which most are, costs one cache miss and not two.
 */
export class StateStore {
  /** How many states there are. */
  size = 0;
  /** The arena: state `n` begins at `n * words`. */
  data: Uint32Array;
  readonly words: number;
  private readonly maxBytes: number;
  private parents: Uint32Array;
  /** Each slot: state number + 1, or EMPTY, then the words. */
  private slots: Uint32Array;
  private readonly slotWords: number;
  private slotCount = 1 << 11;
  private slotLimit: number;
  /** What `warm` read, so that its reading is not optimised away. */
  private warmed = 0;

  /** `maxBytes`: what arena and table may take together. */
  constructor(words: number, maxBytes: number) {
    this.words = words;
    this.maxBytes = maxBytes;
    this.slotWords = words + 1;
    this.data = new Uint32Array(words << 10);
    this.parents = new Uint32Array(1 << 10);
    this.slots = new Uint32Array(this.slotCount * this.slotWords);
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
   * Hash of the state at `from[at…]`, for `add`; touches its slot already. Called for several states before they are added, it lets their cache
   * misses overlap.
   */
  warm(from: Uint32Array, at: number): number {
    const h = hash(from, at, this.words);
    this.warmed ^= this.slots[(h & (this.slotCount - 1)) * this.slotWords]!;
    return h;
  }

  /**
   * Adds the state at `from[at…]`, whose hash `warm` gave, reached from state `parent`; `reserve` has made room.
   * @returns its number when it is new, else the bitwise complement of the number that it has
   */
  add(from: Uint32Array, at: number, h: number, parent: number): number {
    const { words, slots, slotWords } = this;
    const last = this.slotCount - 1;
    let slot = h & last;
    let base = slot * slotWords;
    for (let found = slots[base]!; found !== EMPTY; found = slots[base]!) {
      let w = 0;
      while (w < words && slots[base + 1 + w] === from[at + w]) w += 1;
      if (w === words) return ~(found - 1);
      slot = (slot + 1) & last;
      base = slot * slotWords;
    }
    const id = this.size;
    for (let w = 0; w < words; w += 1) {
      slots[base + 1 + w] = from[at + w]!;
      this.data[id * words + w] = from[at + w]!;
    }
    this.parents[id] = parent;
    slots[base] = id + 1;
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

  /** Doubles the table, slot by slot: a state moves to the same slot or to the one half the new table further, so both are written in order. */
  private rehash(): void {
    const { slotWords, slots: old } = this;
    this.slotCount *= 2;
    const slots = new Uint32Array(this.slotCount * slotWords);
    const last = this.slotCount - 1;
    for (let from = 0; from < old.length; from += slotWords) {
      if (old[from] === EMPTY) continue;
      let to = (hash(old, from + 1, this.words) & last) * slotWords;
      while (slots[to] !== EMPTY) to = to === last * slotWords ? 0 : to + slotWords;
      for (let w = 0; w < slotWords; w += 1) slots[to + w] = old[from + w]!;
    }
    this.slots = slots;
    this.slotLimit = Math.floor(this.slotCount * LOAD_MAX);
  }
}

function enlarged(from: Uint32Array, length: number): Uint32Array {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}

/** Multiply and rotate each word in, then mix: states that differ in a bit land far apart. */
function hash(from: Uint32Array, at: number, words: number): number {
  let h = 0x9747_b28c;
  for (let w = 0; w < words; w += 1) {
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
