import type { Model } from './model.ts';

const WORD_BITS = 32;
/** Bits of the own fields of a process: there are tables of all their values. */
const GROUP_BITS_MOST = 16;

/**
 * How the fields of a state are packed into 32-bit words: each field has as many bits as its greatest value needs; the own fields of a process lie
 * together in one word, so that two processes are exchanged by exchanging two groups of bits.
 */
export class Packing {
  /** 32-bit words of a packed state. */
  readonly words: number;
  /** By word: the bits of shared fields. */
  readonly sharedBits: Uint32Array;
  private readonly model: Model;
  /** By field. */
  private readonly word: Uint8Array;
  private readonly shift: Uint8Array;
  private readonly mask: Uint32Array;
  /** By process: where the group of bits of its own fields is. */
  readonly groupWord: Uint8Array;
  readonly groupShift: Uint8Array;
  readonly groupMask: Uint32Array;

  /** @throws RangeError when the own fields of a process need more than 16 bits */
  constructor(model: Model) {
    const { shared, processes } = model.fields;
    this.model = model;
    const own = processes[0]?.fields.length ?? 0;
    const count = shared.length + own * processes.length;
    this.word = new Uint8Array(count);
    this.shift = new Uint8Array(count);
    this.mask = new Uint32Array(count);
    this.groupWord = new Uint8Array(processes.length);
    this.groupShift = new Uint8Array(processes.length);
    this.groupMask = new Uint32Array(processes.length);
    const used: number[] = [];
    for (const [p, { fields }] of processes.entries()) {
      const bits = fields.reduce((sum, { max }) => sum + bitsFor(max), 0);
      if (bits > GROUP_BITS_MOST)
        throw new RangeError(`the fields of one process take ${bits} bits: at most ${GROUP_BITS_MOST} fit; choose smaller bounds`);
      const [word, shift] = place(used, bits);
      this.groupWord[p] = word;
      this.groupShift[p] = shift;
      this.groupMask[p] = lowMask(bits);
      let within = shift;
      for (const [k, { max }] of fields.entries()) {
        this.set(shared.length + p * own + k, word, within, bitsFor(max));
        within += bitsFor(max);
      }
    }
    for (const [f, { max }] of shared.entries()) {
      const bits = bitsFor(max);
      this.set(f, ...place(used, bits), bits);
    }
    this.words = Math.max(1, used.length);
    this.sharedBits = new Uint32Array(this.words);
    for (const f of shared.keys()) this.sharedBits[this.word[f]!]! |= this.mask[f]! << this.shift[f]!;
  }

  /** Packs the model's current state into `to`. */
  pack(to: Uint32Array): void {
    to.fill(0);
    const { state } = this.model;
    for (let f = 0; f < this.word.length; f += 1) to[this.word[f]!]! |= (state[f]! & this.mask[f]!) << this.shift[f]!;
  }

  /** Makes the state that is packed at `words[from]` the model's current one. */
  unpack(words: Uint32Array, from: number): void {
    const { state } = this.model;
    for (let f = 0; f < this.word.length; f += 1) state[f] = (words[from + this.word[f]!]! >>> this.shift[f]!) & this.mask[f]!;
  }

  /** The own fields of a process, as one number. */
  group(words: Uint32Array, at: number, process: number): number {
    return (words[at + this.groupWord[process]!]! >>> this.groupShift[process]!) & this.groupMask[process]!;
  }

  /** Replaces the own fields of a process. */
  setGroup(words: Uint32Array, at: number, process: number, group: number): void {
    const word = at + this.groupWord[process]!;
    const shift = this.groupShift[process]!;
    words[word] = (words[word]! & ~(this.groupMask[process]! << shift)) | (group << shift);
  }

  private set(field: number, word: number, shift: number, bits: number): void {
    this.word[field] = word;
    this.shift[field] = shift;
    this.mask[field] = lowMask(bits);
  }
}

/** Bits that hold 0 to `max`. */
function bitsFor(max: number): number {
  return WORD_BITS - Math.clz32(max);
}

function lowMask(bits: number): number {
  return 2 ** bits - 1;
}

/** Finds room for `bits` in the first word that has it. `used`: bits taken, by word. @returns word and shift */
function place(used: number[], bits: number): [word: number, shift: number] {
  let word = used.findIndex((taken) => taken + bits <= WORD_BITS);
  if (word < 0) word = used.push(0) - 1;
  const shift = used[word]!;
  used[word] = shift + bits;
  // A field without bits may land at 32, which shifts take for 0: both are right for it.
  return [word, shift];
}
