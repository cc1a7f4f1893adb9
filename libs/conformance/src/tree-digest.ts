import { hex64, hexAddress, isTable, LAST_LEVEL, isValid, slotOf, spanBytes } from '@s2lab/arch';
import type { Walker, World } from '@s2lab/engine';
import { FRAME } from '@s2lab/engine';

/** One non-empty descriptor of a tree. */
export interface TreeEntry {
  readonly table: number;
  readonly slot: number;
  readonly level: number;
  readonly ipa: number;
  readonly lo: number;
  readonly hi: number;
}

/** Every non-empty descriptor reachable from the root, depth first, a child's right after the descriptor that links it. */
export function* treeEntries(world: World, vmid: number): Generator<TreeEntry> {
  const { shape, root } = world.stage2(vmid);
  if (root < 0) return;
  const pageSpan = spanBytes(shape, shape.startLevel) * shape.entries;
  for (let page = 0; page < shape.rootPages; page += 1) yield* entriesOf(world, root + page, shape.startLevel, page * pageSpan);
}

function* entriesOf(world: World, table: number, level: number, base: number): Generator<TreeEntry> {
  const { pages, shape } = world;
  const span = spanBytes(shape, level);
  for (let slot = 0; slot < shape.entries; slot += 1) {
    const i = pages.indexOf(table, slot);
    const lo = pages.descriptors[i]!;
    const hi = pages.descriptors[i + 1]!;
    if (lo === 0 && hi === 0) continue;
    const ipa = base + slot * span;
    yield { table, slot, level, ipa, lo, hi };
    if (level < LAST_LEVEL && isTable(lo, level)) yield* entriesOf(world, pages.frameOf(lo, hi), level + 1, ipa);
  }
}

/** Sums up a tree as the recordings do. */
export interface TreeDigest {
  /** FNV-1a, 64 bits, over (level as a byte, input address and descriptor as 8 bytes each, little endian) of every entry. */
  readonly digest: string;
  /** Table pages reachable from the root, root pages included. */
  readonly tables: number;
  readonly entries: number;
  readonly leaves: number;
}

/** Digest of the tree as it is now. */
export function digestTree(world: World, vmid: number): TreeDigest {
  const hash = new Fnv1a();
  let entries = 0;
  let leaves = 0;
  const { root, shape } = world.stage2(vmid);
  let tables = root < 0 ? 0 : shape.rootPages;
  for (const { level, ipa, lo, hi } of treeEntries(world, vmid)) {
    entries += 1;
    if (isTable(lo, level)) tables += 1;
    else if (isValid(lo)) leaves += 1;
    hash.entry(level, ipa, lo, hi);
  }
  return { digest: hash.text, tables, entries, leaves };
}

/** What `dump` prints: every non-empty descriptor, then every live table page with its reference count. */
export function* dumpItems(world: World, vmid: number): Generator<string> {
  for (const { table, slot, level, ipa, lo, hi } of treeEntries(world, vmid)) {
    yield `pt t=${table} i=${slot} l=${level} a=${hexAddress(ipa)} v=${hex64(lo, hi)}`;
  }
  const { pages } = world;
  for (let table = 0; table < pages.used; table += 1) {
    if (pages.state[table] === FRAME.live) yield `pg t=${table} c=${pages.references[table]}`;
  }
}

/** The descriptor that translates `ipa` now, whatever it is, and its level. */
export function lookUp(world: World, vmid: number, ipa: number): { readonly pte: string; readonly level: number } {
  const { pages } = world;
  const { shape, root } = world.stage2(vmid);
  if (root < 0) return { pte: '0x0', level: shape.startLevel };
  let level: number = shape.startLevel;
  let table = root + Math.floor(ipa / (spanBytes(shape, level) * shape.entries));
  for (;;) {
    const i = pages.indexOf(table, slotOf(shape, ipa, level));
    const lo = pages.descriptors[i]!;
    const hi = pages.descriptors[i + 1]!;
    if (!isTable(lo, level)) return { pte: hex64(lo, hi), level };
    table = pages.frameOf(lo, hi);
    level += 1;
  }
}

/** The descriptor that a walker's look-up of a leaf ended at. */
export function leafAtWalker(walker: Walker): { readonly pte: string; readonly level: number } {
  return { pte: hex64(walker.newLo, walker.newHi), level: walker.faultLevel };
}

/** FNV-1a with 64 bits in two halves; the prime is 2^40 + 0x1b3. */
export class Fnv1a {
  private lo = 0x8422_2325;
  private hi = 0xcbf2_9ce4;

  /** Level as a byte, input address and descriptor as 8 bytes each, little endian. */
  entry(level: number, ipa: number, lo: number, hi: number): void {
    this.byte(level & 0xff);
    this.word(ipa >>> 0);
    this.word(Math.floor(ipa / 2 ** 32));
    this.word(lo);
    this.word(hi);
  }

  private byte(value: number): void {
    const lo = (this.lo ^ value) >>> 0;
    const low = lo * 0x1b3;
    this.hi = (this.hi * 0x1b3 + Math.floor(low / 2 ** 32) + (lo % 2 ** 24) * 256) % 2 ** 32;
    this.lo = low % 2 ** 32;
  }

  /** 32 bits, lowest byte first. */
  private word(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte((value >>> shift) & 0xff);
  }

  get text(): string {
    return hex64(this.lo, this.hi);
  }
}
