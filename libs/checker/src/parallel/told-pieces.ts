import { StateWords } from '@s2lab/engine';
import type { InternedWords } from '../full/interned-words.ts';
import type { MachineStates } from '../full/machine-states.ts';

/*
 * Rows between searches that number their pieces each for itself. A piece is told by the number that it has with the teller, with its words
 * where the hearer does not know them yet; so most numbers stand for some hundred words that crossed once.
 */

/** In a row, number 0 is no piece. */
const NO_PIECE = 0;
/** Added to twice a number: its words follow. */
const WORDS_FOLLOW = 1;

/** The stores of a search by kind, and the kind of each number of a row. */
class Kinds {
  readonly stores: readonly InternedWords[];
  readonly ofPart: Uint8Array;

  constructor({ stores }: MachineStates) {
    this.stores = [...new Set(stores)];
    this.ofPart = Uint8Array.from(stores, (store) => this.stores.indexOf(store));
  }
}

/** Tells pieces to one hearer, who hears everything that is told, in order. */
export class PieceTeller {
  private readonly kinds: Kinds;
  /** By kind and number: whether the hearer knows the words. */
  private readonly told: Uint8Array[];

  /** @param states where the pieces are */
  constructor(states: MachineStates) {
    this.kinds = new Kinds(states);
    this.told = this.kinds.stores.map(() => new Uint8Array(1 << 8));
  }

  /** Tells the piece that is called `number` in part `part` of rows. */
  tell(part: number, number: number, into: StateWords): void {
    if (number === NO_PIECE) {
      into.put(NO_PIECE);
      return;
    }
    const kind = this.kinds.ofPart[part]!;
    let told = this.told[kind]!;
    if (number >= told.length) {
      const longer = new Uint8Array(2 * Math.max(number, told.length));
      longer.set(told);
      told = this.told[kind] = longer;
    }
    if (told[number] === 1) {
      into.put(2 * number);
      return;
    }
    told[number] = 1;
    const words = this.kinds.stores[kind]!.pieces[number]!;
    into.put(2 * number + WORDS_FOLLOW);
    into.put(words.length);
    into.putAll(words);
  }
}

/** Hears what one teller tells. */
export class PieceHearer {
  private readonly kinds: Kinds;
  /** By kind and number of the teller: the number here. */
  private readonly known: Uint32Array[];
  private readonly scratch = new StateWords();

  /** @param states where the pieces are to be */
  constructor(states: MachineStates) {
    this.kinds = new Kinds(states);
    this.known = this.kinds.stores.map(() => new Uint32Array(1 << 8));
  }

  /** Hears a piece in part `part` of rows. Returns the number that it has here. */
  hear(part: number, from: StateWords): number {
    const code = from.get();
    if (code === NO_PIECE) return NO_PIECE;
    const number = code >>> 1;
    const kind = this.kinds.ofPart[part]!;
    if ((code & WORDS_FOLLOW) === 0) return this.known[kind]![number]!;
    const { scratch } = this;
    scratch.clear();
    for (let left = from.get(); left > 0; left -= 1) scratch.put(from.get());
    const here = this.kinds.stores[kind]!.intern(scratch);
    if (number >= this.known[kind]!.length) {
      const longer = new Uint32Array(2 * number);
      longer.set(this.known[kind]!);
      this.known[kind] = longer;
    }
    this.known[kind]![number] = here;
    return here;
  }
}

/**
 * What the words of a key are, by which a step counts as judged (`MachineStates.writeWithoutOthers`): the actor, numbers of pieces, and between them
 * words that are themselves. Returns the part of a row whose piece word `i` of `length` names; -1 = the word is itself.
 */
function partOfKey({ words, walkersAt, tlbsAt, pagesAt }: MachineStates, actor: number, i: number, length: number): number {
  if (i === 1) return 0;
  if (i === 2) return walkersAt + actor;
  const fromPages = i - (length - (words - pagesAt));
  if (fromPages >= 0) return pagesAt + fromPages;
  return fromPages === -1 && tlbsAt + actor < pagesAt ? tlbsAt + actor : -1;
}

/** Tells a key, whose numbers are those of the teller. */
export function tellKey(states: MachineStates, key: Int32Array, teller: PieceTeller, into: StateWords): void {
  const actor = key[0]!;
  into.put(key.length);
  into.put(actor);
  for (let i = 1; i < key.length; i += 1) {
    const part = partOfKey(states, actor, i, key.length);
    if (part < 0) into.put(key[i]!);
    else teller.tell(part, key[i]!, into);
  }
}

/** Hears a key into `key`: with the numbers that pieces have here. */
export function hearKey(states: MachineStates, from: StateWords, hearer: PieceHearer, key: StateWords): void {
  const length = from.get();
  const actor = from.get();
  key.clear();
  key.put(actor);
  for (let i = 1; i < length; i += 1) {
    const part = partOfKey(states, actor, i, length);
    key.put(part < 0 ? from.get() : hearer.hear(part, from));
  }
}

/** A number of the row at `rows[at…]`, the same whoever numbers the pieces. */
export function rowFingerprint({ stores, words }: MachineStates, rows: Uint32Array, at: number): number {
  let h = 0;
  for (let part = 0; part < words; part += 1) h = mix(h, stores[part]!.hashOf(rows[at + part]!));
  return finish(h);
}

/** A number of the key, the same whoever numbers the pieces. */
export function keyFingerprint(states: MachineStates, key: Int32Array): number {
  let h = key[0]!;
  for (let i = 1; i < key.length; i += 1) {
    const part = partOfKey(states, key[0]!, i, key.length);
    h = mix(h, part < 0 ? key[i]! : states.stores[part]!.hashOf(key[i]!));
  }
  return finish(h);
}

function mix(h: number, word: number): number {
  const mixed = Math.imul(h ^ word, 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 15)) + 0x9e37_79b9;
}

function finish(h: number): number {
  const mixed = Math.imul(h ^ (h >>> 16), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
