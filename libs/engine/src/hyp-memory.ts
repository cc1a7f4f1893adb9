import { PAGE_STATE } from '@s2lab/events';
import type { StateWords } from './state-words.ts';
import { TrackedArray } from './tracked-array.ts';

/** Memory that somebody may own; what lies between the regions is MMIO. */
export interface MemoryRegion {
  readonly base: number;
  readonly bytes: number;
  /** Nobody may be given it (kernel: MEMBLOCK_NOMAP). */
  readonly nomap: boolean;
}

/** Of memory that nobody keeps: all machines without a hypervisor share them. */
const NO_STATES = new Uint8Array(0);
const NO_SHARES = new Uint16Array(0);

interface TrackedRegion extends MemoryRegion {
  /** Number of its first page among the pages of all regions. */
  readonly firstPage: number;
}

/**
 * What the hypervisor of pKVM notes of every page of memory: the state it has for the host and for itself, and how many guests the host
 * shares it with. Changed by events only.
 * @source Linux 7.2 arch/arm64/kvm/hyp/include/nvhe/memory.h struct hyp_page (hyp_vmemmap)
 */
export class HypMemory {
  readonly pageBytes: number;
  /** By address. */
  readonly regions: TrackedRegion[] = [];
  /** PAGE_STATE of every page for the host. */
  readonly hostStates = new TrackedArray(NO_STATES);
  /** PAGE_STATE of every page for the hypervisor. */
  readonly hypStates = new TrackedArray(NO_STATES);
  /** How many guests the host shares each page with. */
  readonly guestShares = new TrackedArray(NO_SHARES);

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
  }

  /** A region more, above those that are there. */
  add(base: number, bytes: number, nomap: boolean): void {
    const firstPage = this.hostStates.data.length;
    this.regions.push({ base, bytes, nomap, firstPage });
    const pages = firstPage + bytes / this.pageBytes;
    this.hostStates.grow(new Uint8Array(pages));
    this.hypStates.grow(new Uint8Array(pages));
    this.hypStates.data.fill(PAGE_STATE.none, firstPage);
    this.hypStates.touch(firstPage, pages);
    this.guestShares.grow(new Uint16Array(pages));
  }

  /** Writes regions and states. */
  save(into: StateWords): void {
    this.saveRegions(into);
    into.putAll(this.hostStates.data);
    into.putAll(this.hypStates.data);
    into.putAll(this.guestShares.data);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    this.loadRegions(from);
    from.getAll(this.hostStates.data);
    from.getAll(this.hypStates.data);
    from.getAll(this.guestShares.data);
  }

  /** Writes the regions; the states are pieces of their own. */
  saveRegions(into: StateWords): void {
    into.put(this.regions.length);
    for (const { base, bytes, nomap } of this.regions) {
      into.putWide(base);
      into.putWide(bytes);
      into.put(nomap ? 1 : 0);
    }
  }

  /** Reads what `saveRegions` wrote; regions that are there already keep their states. */
  loadRegions(from: StateWords): void {
    const count = from.get();
    if (count < this.regions.length) this.forget();
    for (let i = 0; i < count; i += 1) {
      const base = from.getWide();
      const bytes = from.getWide();
      const nomap = from.get() === 1;
      if (i === this.regions.length) this.add(base, bytes, nomap);
    }
  }

  private forget(): void {
    this.regions.length = 0;
    this.hostStates.renew(NO_STATES);
    this.hypStates.renew(NO_STATES);
    this.guestShares.renew(NO_SHARES);
  }

  /** The region that holds `pa`, if it is memory. */
  regionAt(pa: number): TrackedRegion | undefined {
    for (let i = 0; i < this.regions.length; i += 1) {
      const region = this.regions[i]!;
      if (pa >= region.base && pa < region.base + region.bytes) return region;
    }
    return undefined;
  }

  /** Number of the page at `pa` among all pages of memory, -1 when it is none. */
  pageOf(pa: number): number {
    const region = this.regionAt(pa);
    return region === undefined ? -1 : region.firstPage + Math.floor((pa - region.base) / this.pageBytes);
  }

  /** Address of the first byte behind the gap or region that holds `pa`; Infinity behind the last region. */
  endOfRange(pa: number): number {
    const region = this.regionAt(pa);
    if (region !== undefined) return region.base + region.bytes;
    const next = this.regions.find(({ base }) => base > pa);
    return next === undefined ? Infinity : next.base;
  }

  /** Address of the first byte of the gap or region that holds `pa`. */
  startOfRange(pa: number): number {
    const region = this.regionAt(pa);
    if (region !== undefined) return region.base;
    const before = this.regions.findLast(({ base }) => base < pa);
    return before === undefined ? 0 : before.base + before.bytes;
  }

  /** The pages of [pa, pa + bytes) are in `to` now. */
  setStates(states: TrackedArray<Uint8Array>, pa: number, bytes: number, to: number): void {
    const page = this.pageOf(pa);
    if (page < 0) return;
    states.data.fill(to, page, page + bytes / this.pageBytes);
    states.touch(page, page + bytes / this.pageBytes);
  }

  /** The host shares [pa, pa + bytes) with one guest more (1) or less (-1). */
  changeGuestShares(pa: number, bytes: number, by: 1 | -1): void {
    const page = this.pageOf(pa);
    if (page < 0) return;
    for (let i = page; i < page + bytes / this.pageBytes; i += 1) this.guestShares.data[i]! += by;
    this.guestShares.touch(page, page + bytes / this.pageBytes);
  }
}
