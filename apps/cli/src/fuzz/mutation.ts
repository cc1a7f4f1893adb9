/** A seeded generator (xorshift32): an input is named by its seed alone. */
export class FuzzRandom {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e37_79b1) ^ 0x85eb_ca6b) | 0 || 1;
    for (let i = 0; i < 4; i += 1) this.below(2);
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Values at which programs break: bounds of types, and what is no number. */
const NUMBERS = [
  '0',
  '-1',
  '1',
  '7',
  '255',
  '4096',
  '65535',
  '65536',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740992',
  '18446744073709551615',
  '18446744073709551616',
  '1e309',
  '-0',
  '0.5',
  'NaN',
  '0x',
  '0xffffffffffffffff',
  'ffffffffffffffffffffffff',
  '9'.repeat(400),
];
const PIECES = [
  '',
  '\0',
  '\r\n',
  '\n',
  ' ',
  '(',
  ')',
  '"',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '\\',
  '﻿',
  '😀',
  '../',
  '%00',
  '__proto__',
  'null',
  'true',
  '!',
];
/** Most characters or bytes of an input. */
const LENGTH_MAX = 1 << 16;

/** How many changes: one in half of the inputs, which leaves the most of them meaningful. */
function changes(random: FuzzRandom): number {
  return random.below(2) === 0 ? 1 : 1 + random.below(8);
}

/** A text like one of `seeds`, with up to eight changes. */
export function mutateText(random: FuzzRandom, seeds: readonly string[]): string {
  let text = random.pick(seeds);
  for (let n = changes(random); n > 0; n -= 1) text = changeText(random, text, seeds);
  return text.slice(0, LENGTH_MAX);
}

function changeText(random: FuzzRandom, text: string, seeds: readonly string[]): string {
  const from = random.below(text.length + 1);
  const to = Math.min(text.length, from + random.below(random.below(4) === 0 ? 400 : 12));
  const piece = text.slice(from, to);
  switch (random.below(9)) {
    case 0:
      return text.slice(0, from) + text.slice(to);
    case 1:
      return text.slice(0, to) + piece.repeat(1 + random.below(4)) + text.slice(to);
    case 2:
      return text.slice(0, from) + random.pick(PIECES) + text.slice(to);
    case 3:
    case 4:
      return replaceNumber(random, text, from);
    case 5: {
      const other = random.pick(seeds);
      const at = random.below(other.length + 1);
      return text.slice(0, from) + other.slice(at, at + random.below(200)) + text.slice(to);
    }
    case 6:
      return text.slice(0, from) + String.fromCharCode(random.below(random.below(2) === 0 ? 128 : 65_536)) + text.slice(from + 1);
    case 7:
      return swapLines(random, text);
    default:
      return random.below(20) === 0 ? text.slice(0, from) + piece.repeat(500) + text.slice(to) : text.slice(0, to);
  }
}

function replaceNumber(random: FuzzRandom, text: string, from: number): string {
  const match = /-?(?:0x)?[0-9a-f]*\d[0-9a-f.]*/.exec(text.slice(from, from + 400));
  if (match === null) return text;
  const at = from + match.index;
  return text.slice(0, at) + random.pick(NUMBERS) + text.slice(at + match[0].length);
}

function swapLines(random: FuzzRandom, text: string): string {
  const lines = text.split('\n');
  const [a, b] = [random.below(lines.length), random.below(lines.length)];
  [lines[a], lines[b]] = [lines[b]!, lines[a]!];
  if (random.below(3) === 0) lines.splice(a, 1);
  return lines.join('\n');
}

/** Bytes like one of `seeds`, with up to eight changes. */
export function mutateBytes(random: FuzzRandom, seeds: readonly Uint8Array[]): Uint8Array {
  let bytes = Uint8Array.from(random.pick(seeds));
  for (let n = changes(random); n > 0 && bytes.length > 0; n -= 1) bytes = changeBytes(random, bytes);
  return bytes;
}

function changeBytes(random: FuzzRandom, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length);
  switch (random.below(6)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      return bytes;
    case 2:
      bytes.fill(random.pick([0, 0xff]), at, at + 1 + random.below(16));
      return bytes;
    case 3: {
      const word = random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, random.below(0xffff_ffff)]);
      for (let i = 0; i < 4 && at + i < bytes.length; i += 1) bytes[at + i] = word >>> (8 * i);
      return bytes;
    }
    case 4:
      return bytes.slice(0, at);
    default:
      bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
      return bytes;
  }
}
