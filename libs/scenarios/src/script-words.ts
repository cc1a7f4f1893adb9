import { PROT } from '@s2lab/arch';
import { WALK_FLAG } from '@s2lab/events';

/** Complains about the present line; never returns. */
export type Refuse = (problem: string) => never;

/** The words of one line of an operation script, taken one by one; what is missing or malformed is refused by name. */
export class ScriptWords {
  private readonly words: readonly string[];
  private at: number;
  private readonly refuse: Refuse;
  readonly operation: string;

  /** @param from index of the operation among the words */
  constructor(words: readonly string[], from: number, refuse: Refuse) {
    this.words = words;
    this.operation = words[from] ?? '';
    this.at = from + 1;
    this.refuse = refuse;
  }

  /** Whether words are left. */
  get more(): boolean {
    return this.at < this.words.length;
  }

  /** The next word, as it is. */
  text(what: string): string {
    const word = this.words[this.at];
    if (word === undefined) return this.refuse(`${this.operation}: expected ${what}, found the end of the line`);
    this.at += 1;
    return word;
  }

  /** The next word as a whole number, decimal or with 0x, up to `max`. */
  number(what: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const word = this.text(what);
    const value = wholeNumber(word);
    if (!(value <= max)) return this.reject(`${what} (a number up to ${max})`, word);
    return value;
  }

  /** The next word as a 64-bit mask: [bits 31:0, bits 63:32]. */
  mask(what: string): readonly [number, number] {
    const word = this.text(what);
    return mask64(word) ?? this.reject(`${what} (64 bits, 0x…)`, word);
  }

  /** The next word as pages in the cache; `-` is -1, no cache. */
  cachePages(): number {
    if (this.words[this.at] !== '-') return this.number('cache pages or -', 1 << 20);
    this.at += 1;
    return -1;
  }

  /** The next word as PROT bits. */
  prot(): number {
    const word = this.text('permissions');
    if (word === '-') return 0;
    let bits = 0;
    for (const letter of word) {
      bits |=
        (Object.hasOwn(PROT_LETTERS, letter) ? PROT_LETTERS[letter] : undefined) ??
        this.reject(`permissions of the letters ${Object.keys(PROT_LETTERS).join('')}`, word);
    }
    return bits;
  }

  /** The next word as WALK_FLAG bits: `shared`, `ignore_eagain`, both with a comma, or `-`. */
  flags(): number {
    const word = this.text('walk flags');
    if (word === '-') return 0;
    let bits = 0;
    for (const name of word.split(',')) {
      bits |=
        (Object.hasOwn(FLAG_NAMES, name) ? FLAG_NAMES[name] : undefined) ?? this.reject('walk flags shared, ignore_eagain or -', word);
    }
    return bits;
  }

  /** Refuses `found`, where `expected` should be. */
  reject(expected: string, found: string): never {
    return this.refuse(`${this.operation}: expected ${expected}, found '${found}'`);
  }

  /** Refuses words that are left over. */
  end(): void {
    if (this.more) this.refuse(`${this.operation}: expected the end of the line, found '${this.words[this.at]}'`);
  }
}

/** A whole number as scripts and markers write it, decimal or 0x; NaN for anything else or beyond 2^53 - 1. */
export function wholeNumber(word: string): number {
  if (!/^(?:0x[0-9a-f]{1,16}|\d{1,16})$/i.test(word)) return NaN;
  const value = Number(word);
  return value <= Number.MAX_SAFE_INTEGER ? value : NaN;
}

/** A 64-bit mask written in hex or decimal as two unsigned halves, low first; undefined for anything else. */
export function mask64(word: string): readonly [number, number] | undefined {
  const hex = /^0x([0-9a-f]{1,16})$/i.exec(word)?.[1];
  if (hex !== undefined) return [parseInt(hex.slice(-8), 16), hex.length > 8 ? parseInt(hex.slice(0, -8), 16) : 0];
  const value = wholeNumber(word);
  return Number.isNaN(value) ? undefined : [value >>> 0, Math.floor(value / 2 ** 32)];
}

const PROT_LETTERS: Readonly<Record<string, number>> = {
  r: PROT.r,
  w: PROT.w,
  x: PROT.x,
  p: PROT.px,
  u: PROT.ux,
  d: PROT.device,
  n: PROT.normalNc,
  0: PROT.sw0,
  1: PROT.sw1,
  2: PROT.sw2,
  3: PROT.sw3,
};
const FLAG_NAMES: Readonly<Record<string, number>> = { shared: WALK_FLAG.shared, ignore_eagain: WALK_FLAG.ignoreEagain };
