import type { Model } from './model.ts';

const WORD_BITS = 32;

/**
 * How the fields of a state are packed into 32-bit words: each field has as many bits as its greatest value needs; the own fields of a process lie
 * together in one word, so that two processes are exchanged by exchanging two groups of bits.
 */
export class Packing {
  /** 32-bit words of a packed state. */
  readonly words: number;
  private readonly model: Model;
  /** By field. */
  private readonly word: Uint8Array;
  private readonly shift: Uint8Array;
  private readonly mask: Uint32Array;
  /** By process: where its group of bits is, and which fields are in it. */
  private readonly groupWord: Uint8Array;
  private readonly groupShift: Uint8Array;
  private readonly groupMask: Uint32Array;
  private readonly firstOwn: Uint16Array;
  /** One past the last own field that has bits; fields without bits are always 0. */
  private readonly endOwn: Uint16Array;
  /** Fields that have bits. */
  private readonly live: Uint16Array;

  /** @throws RangeError when the own fields of a process need more than 32 bits */
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
    this.firstOwn = Uint16Array.from(processes, (_, p) => shared.length + p * own);
    this.endOwn = Uint16Array.from(processes, ({ fields }, p) => this.firstOwn[p]! + fields.findLastIndex(({ max }) => max > 0) + 1);
    const used: number[] = [];
    for (const [p, { fields }] of processes.entries()) {
      const bits = fields.reduce((sum, { max }) => sum + bitsFor(max), 0);
      const [word, shift] = place(used, bits);
      this.groupWord[p] = word;
      this.groupShift[p] = shift;
      this.groupMask[p] = lowMask(bits);
      let within = shift;
      for (const [k, { max }] of fields.entries()) {
        this.set(this.firstOwn[p]! + k, word, within, bitsFor(max));
        within += bitsFor(max);
      }
    }
    for (const [f, { max }] of shared.entries()) {
      const bits = bitsFor(max);
      this.set(f, ...place(used, bits), bits);
    }
    this.words = Math.max(1, used.length);
    this.live = Uint16Array.from([...this.mask.keys()].filter((f) => this.mask[f]! > 0));
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
    for (let n = 0; n < this.live.length; n += 1) {
      const f = this.live[n]!;
      state[f] = (words[from + this.word[f]!]! >>> this.shift[f]!) & this.mask[f]!;
    }
  }

  /**
   * After a step of `process`: packs into `to[at…]` what changed against the state packed at `before[from…]`, and takes the change back in the
   * model, whose state before the step is `saved`.
   */
  packStep(process: number, before: Uint32Array, from: number, saved: Uint8Array, to: Uint32Array, at: number): void {
    const { state } = this.model;
    for (let w = 0; w < this.words; w += 1) to[at + w] = before[from + w]!;
    const first = this.firstOwn[process]!;
    const word = at + this.groupWord[process]!;
    let group = 0;
    const end = this.endOwn[process]!;
    for (let f = first; f < end; f += 1) {
      group |= (state[f]! & this.mask[f]!) << this.shift[f]!;
      state[f] = saved[f]!;
    }
    to[word] = (to[word]! & ~(this.groupMask[process]! << this.groupShift[process]!)) | group;
    for (let left = this.model.writes; left !== 0; left &= left - 1) {
      const f = 31 - Math.clz32(left & -left);
      const shared = at + this.word[f]!;
      const shift = this.shift[f]!;
      to[shared] = (to[shared]! & ~(this.mask[f]! << shift)) | ((state[f]! & this.mask[f]!) << shift);
      state[f] = saved[f]!;
    }
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
  if (bits > WORD_BITS)
    throw new RangeError(`the fields of one process take ${bits} bits: at most ${WORD_BITS} fit; choose smaller bounds`);
  let word = used.findIndex((taken) => taken + bits <= WORD_BITS);
  if (word < 0) word = used.push(0) - 1;
  const shift = used[word]!;
  used[word] = shift + bits;
  // A field without bits may land at 32, which shifts take for 0: both are right for it.
  return [word, shift];
}
