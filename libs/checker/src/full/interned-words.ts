import type { StateWords } from '@s2lab/engine';

const EMPTY = 0;
const LOAD_MAX = 0.6;

/** Pieces of states, each kept once: a piece is named by its number, and two numbers differ exactly if their words do. Number 0 is no piece. */
export class InternedWords {
  /** Words of piece `n`, never changed; that of number 0 is empty. */
  readonly pieces: Int32Array[] = [new Int32Array(0)];
  bytes = 0;
  private readonly hashes: number[] = [0];
  private slots = new Int32Array(1 << 10);

  /** The number of the piece that was just written into `words`. */
  intern(words: StateWords): number {
    const h = hash(words.words, words.length);
    const last = this.slots.length - 1;
    let slot = h & last;
    for (let id = this.slots[slot]!; id !== EMPTY; id = this.slots[slot]!) {
      if (this.hashes[id] === h && words.equals(this.pieces[id]!)) return id;
      slot = (slot + 1) & last;
    }
    const id = this.pieces.length;
    this.pieces.push(words.copy());
    this.hashes.push(h);
    // An array of its own takes about 100 bytes beside its words.
    this.bytes += 4 * words.length + 100;
    this.slots[slot] = id;
    if (id > this.slots.length * LOAD_MAX) this.rehash();
    return id;
  }

  /** A number of the words of piece `n` alone: the same wherever those words are kept, whatever number they have there. */
  hashOf(n: number): number {
    return this.hashes[n]!;
  }

  /** Writes all pieces, in order of their numbers. */
  save(into: StateWords): void {
    into.put(this.pieces.length);
    for (const piece of this.pieces) {
      into.put(piece.length);
      into.putAll(piece);
    }
  }

  /** Reads what `save` wrote; pieces that are here already are the first of those. */
  load(from: StateWords, scratch: StateWords): void {
    const count = from.get();
    for (let id = 0; id < count; id += 1) {
      const piece = new Int32Array(from.get());
      from.getAll(piece);
      if (id === 0) continue;
      scratch.clear();
      scratch.putAll(piece);
      if (this.intern(scratch) !== id) throw new Error('the pieces of a saved search are not those of this one');
    }
  }

  private rehash(): void {
    const slots = new Int32Array(2 * this.slots.length);
    const last = slots.length - 1;
    for (let id = 1; id < this.pieces.length; id += 1) {
      let slot = this.hashes[id]! & last;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & last;
      slots[slot] = id;
    }
    this.slots = slots;
  }
}

function hash(words: Int32Array, length: number): number {
  let h = length;
  for (let i = 0; i < length; i += 1) {
    // Most words of a walker are 0.
    const word = words[i]!;
    h = word === 0 ? Math.imul(h, 0x9e37_79b1) : Math.imul(h ^ word, 0x85eb_ca6b) ^ (h >>> 15);
  }
  h = Math.imul(h ^ (h >>> 16), 0xc2b2_ae35);
  return h ^ (h >>> 13);
}
