import type { StateWords } from './state-words.ts';

/** Guest memory as the VMM registered it: where it lies, what backs it, which pages are dirty. Changed by events only. */
export class Memslot {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly pa: number;
  readonly readOnly: boolean;
  logging = false;
  /** One bit a page, while logging. */
  dirty: Uint32Array = new Uint32Array(0);
  /** Whether dirty bits changed since somebody who keeps copies last cleared this. */
  dirtyChanged = true;

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

  /** Whether the dirty bit of the memslot's page `page` is set. */
  isDirty(page: number): boolean {
    return ((this.dirty[page >>> 5] ?? 0) & (1 << (page & 31))) !== 0;
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
  private touched: Uint32Array = new Uint32Array(0);
  /** Transparent huge pages that the host has split, by their first host virtual address. */
  private readonly split = new Set<number>();

  constructor(hva: number, vmaShift: number, thp: number) {
    this.hva = hva;
    this.vmaShift = vmaShift;
    this.thp = thp;
  }

  /**
   * Whether the block of 2^shift bytes around `address` may be mapped as one: IPA and HVA equal modulo its size and all of it inside.
   * @source Linux arch/arm64/kvm/mmu.c fault_supports_stage2_huge_mapping()
   */
  fitsBlock(memslot: Memslot, address: number, shift: number): boolean {
    const size = 2 ** shift;
    if (memslot.ipa % size !== this.hva % size) return false;
    const block = address - (address % size);
    return block >= memslot.ipa && block + size <= memslot.ipa + memslot.bytes;
  }

  /** Whether a transparent huge page of 2^shift bytes backs `address`. */
  hugePageAt(memslot: Memslot, address: number, shift: number): boolean {
    if (this.thp === 0) return false;
    const block = Math.floor((this.hva + (address - memslot.ipa)) / 2 ** shift);
    if (this.split.size > 0 && this.split.has(block * 2 ** shift)) return false;
    return this.thp === 1 || block % this.thp !== 0;
  }

  /** The host drops [address, address + bytes): transparent huge pages of 2^shift bytes of which it drops only a part are split. */
  drop(memslot: Memslot, address: number, bytes: number, shift: number): void {
    const size = 2 ** shift;
    const from = this.hva + Math.max(0, address - memslot.ipa);
    const to = this.hva + Math.min(memslot.bytes, address + bytes - memslot.ipa);
    for (let page = from - (from % size); page < to; page += size) if (page < from || page + size > to) this.split.add(page);
  }

  /** Marks [address, address + bytes) as touched. Returns how many of its pages were not before: those the host must zero. */
  touch(memslot: Memslot, address: number, bytes: number, pageBytes: number): number {
    if (this.touched.length === 0) this.touched = new Uint32Array(Math.ceil(memslot.bytes / pageBytes / 32));
    const first = Math.max(0, (address - memslot.ipa) / pageBytes);
    const end = Math.min(memslot.bytes / pageBytes, (address + bytes - memslot.ipa) / pageBytes);
    let fresh = 0;
    for (let page = first; page < end; page += 1) {
      const bit = 1 << (page & 31);
      if ((this.touched[page >>> 5]! & bit) !== 0) continue;
      this.touched[page >>> 5]! |= bit;
      fresh += 1;
    }
    return fresh;
  }

  /** Writes what changes; which pages were touched decides costs only, and is left out of states that have no time. */
  save(into: StateWords, timeless: boolean): void {
    into.put(this.split.size);
    for (const page of this.split) into.putWide(page);
    if (timeless) return;
    into.put(this.touched.length);
    into.putAll(this.touched);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords, timeless: boolean): void {
    this.split.clear();
    for (let left = from.get(); left > 0; left -= 1) this.split.add(from.getWide());
    this.touched = new Uint32Array(timeless ? 0 : from.get());
    from.getAll(this.touched);
  }
}
