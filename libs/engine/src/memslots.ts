import { alignDown, powerOfTwo } from '@s2lab/arch';
import type { StateWords } from './state-words.ts';
import { TrackedArray } from './tracked-array.ts';

/** Bits of nothing: memslots that are not logged share them. */
const NO_BITS = new Uint32Array(0);

/** Guest memory as the VMM registered it: where it lies, what backs it, which pages are dirty. Changed by events only. */
export class Memslot {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly pa: number;
  readonly readOnly: boolean;
  logging = false;
  /** One bit a page, while logging. */
  dirty = new TrackedArray(NO_BITS);

  constructor(id: number, ipa: number, bytes: number, pa: number, readOnly: boolean) {
    this.id = id;
    this.ipa = ipa;
    this.bytes = bytes;
    this.pa = pa;
    this.readOnly = readOnly;
  }

  /** Whether `other` has the same name, place and backing. */
  isLike(other: Memslot): boolean {
    const { id, ipa, bytes, pa, readOnly } = other;
    return this.id === id && this.ipa === ipa && this.bytes === bytes && this.pa === pa && this.readOnly === readOnly;
  }

  /** Whether the fault handler must map it by pages, so that each one written is logged. @source mmu.c memslot_is_logging() */
  get logsWrites(): boolean {
    return this.logging && !this.readOnly;
  }

  /** Begins or ends to keep a dirty bit for each of `pages` pages, none or all of them set at first. */
  keepDirty(pages: number, set: boolean): void {
    this.dirty = new TrackedArray(pages === 0 ? NO_BITS : new Uint32Array(Math.ceil(pages / 32)));
    if (set) this.dirty.data.fill(0xffff_ffff);
  }

  /** Sets or clears the dirty bits of pages [from, to). */
  setDirty(from: number, to: number, dirty: boolean): void {
    const { data } = this.dirty;
    if (data.length === 0) return;
    for (let page = from; page < to; page += 1) {
      if (dirty) data[page >>> 5]! |= 1 << (page & 31);
      else data[page >>> 5]! &= ~(1 << (page & 31));
    }
    this.dirty.touch(from >>> 5, (to + 31) >>> 5);
  }

  /** Whether the dirty bit of the memslot's page `page` is set. */
  isDirty(page: number): boolean {
    return ((this.dirty.data[page >>> 5] ?? 0) & (1 << (page & 31))) !== 0;
  }

  /** Whether `address` lies in the memslot. */
  holds(address: number): boolean {
    return address >= this.ipa && address < this.ipa + this.bytes;
  }
}

/** How the host backs a memslot: what the fault handler asks its memory management for. Decides sizes, is no state of the tables. */
export class Backing {
  /** Host virtual address of the memslot's first byte. */
  readonly hva: number;
  /** log2 of the VMA's page size. */
  readonly vmaShift: number;
  /** 0 no transparent huge pages, 1 behind every aligned block, k > 1 behind blocks whose number is not a multiple of k. */
  readonly thp: number;
  /** One bit a page that the host has given memory to; empty before the first one. */
  readonly touched = new TrackedArray(NO_BITS);
  /** Transparent huge pages that the host has split, by their first host virtual address. */
  private readonly split = new Set<number>();

  constructor(hva: number, vmaShift: number, thp: number) {
    this.hva = hva;
    this.vmaShift = vmaShift;
    this.thp = thp;
  }

  /** Whether `other` is of the same memory. */
  isLike(other: Backing): boolean {
    return this.hva === other.hva && this.vmaShift === other.vmaShift && this.thp === other.thp;
  }

  /**
   * Whether the block of 2^shift bytes around `address` may be mapped as one: IPA and HVA equal modulo its size and all of it inside.
   * @source Linux arch/arm64/kvm/mmu.c fault_supports_stage2_huge_mapping()
   */
  fitsBlock(memslot: Memslot, address: number, shift: number): boolean {
    const size = powerOfTwo(shift);
    const block = alignDown(address, size);
    if (memslot.ipa - alignDown(memslot.ipa, size) !== this.hva - alignDown(this.hva, size)) return false;
    return block >= memslot.ipa && block + size <= memslot.ipa + memslot.bytes;
  }

  /** Whether a transparent huge page of 2^shift bytes backs `address`. */
  hugePageAt(memslot: Memslot, address: number, shift: number): boolean {
    if (this.thp === 0) return false;
    const block = Math.floor((this.hva + (address - memslot.ipa)) / powerOfTwo(shift));
    if (this.split.size > 0 && this.split.has(block * powerOfTwo(shift))) return false;
    return this.thp === 1 || block % this.thp !== 0;
  }

  /** The host drops [address, address + bytes): transparent huge pages of 2^shift bytes of which it drops only a part are split. */
  drop(memslot: Memslot, address: number, bytes: number, shift: number): void {
    const size = powerOfTwo(shift);
    const from = this.hva + Math.max(0, address - memslot.ipa);
    const to = this.hva + Math.min(memslot.bytes, address + bytes - memslot.ipa);
    for (let page = alignDown(from, size); page < to; page += size) if (page < from || page + size > to) this.split.add(page);
  }

  /** Marks [address, address + bytes) as touched. Returns how many of its pages were not before: those the host must zero. */
  touch(memslot: Memslot, address: number, bytes: number, pageBytes: number): number {
    const { touched } = this;
    if (touched.data.length === 0) touched.grow(new Uint32Array(Math.ceil(memslot.bytes / pageBytes / 32)));
    const first = Math.max(0, (address - memslot.ipa) / pageBytes);
    const end = Math.min(memslot.bytes / pageBytes, (address + bytes - memslot.ipa) / pageBytes);
    let fresh = 0;
    for (let page = first; page < end; page += 1) {
      const bit = 1 << (page & 31);
      if ((touched.data[page >>> 5]! & bit) !== 0) continue;
      touched.data[page >>> 5]! |= bit;
      touched.touchAt(page >>> 5);
      fresh += 1;
    }
    return fresh;
  }

  /** Writes what changes. How many words of touched pages there are decides costs only, and is left out of states that have no time; the words
   * themselves are a piece of their own. */
  save(into: StateWords, timeless: boolean): void {
    into.put(this.split.size);
    for (const page of this.split) into.putWide(page);
    if (!timeless) into.put(this.touched.data.length);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords, timeless: boolean): void {
    this.split.clear();
    for (let left = from.get(); left > 0; left -= 1) this.split.add(from.getWide());
    const words = timeless ? 0 : from.get();
    if (this.touched.data.length !== words) this.touched.renew(new Uint32Array(words));
  }
}
