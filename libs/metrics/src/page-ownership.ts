import type { EventRows } from '@s2lab/events';
import { COMPONENT, K, PAGE_STATE, wide } from '@s2lab/events';

/** Components that may have a page, and states in which they may: PAGE_STATE `none` is having nothing. */
export const COMPONENTS: readonly (keyof typeof COMPONENT)[] = ['host', 'hyp', 'guest'];
/** States of a page that somebody has. */
export const HELD_STATES: readonly (keyof typeof PAGE_STATE)[] = ['owned', 'sharedOwned', 'sharedBorrowed'];

const STATES = HELD_STATES.length;

/**
 * How much memory of a pKVM machine each component has in which state, from its events. Host and hypervisor note their states in the events;
 * those of the guests follow from donations, shares and reclaims, page by page.
 */
export class PageOwnership {
  private readonly bytes = new Float64Array(COMPONENTS.length * STATES);
  /** State of each page that a guest has, by physical address; as large as the guests are. */
  private readonly guestPages = new Map<number, number>();
  private pageBytes = 4096;

  /** @param pageShift log2 of the granule, from the machine’s first event */
  setGranule(pageShift: number): void {
    this.pageBytes = 2 ** pageShift;
  }

  /** Bytes that all components have. */
  get total(): Readonly<Float64Array> {
    return this.bytes;
  }

  /** Folds row i, if it is about who has a page. */
  fold(rows: EventRows, i: number): void {
    const bytes = wide(rows.old, i);
    const pa = wide(rows.new, i);
    const from = rows.arg[i]!;
    const to = rows.aux[i]!;
    switch (rows.kind[i]) {
      case K.memoryRegionAdded:
        if (to === 0) this.add(COMPONENT.host, PAGE_STATE.owned, bytes); // until it gives some away, the host has all memory
        return;
      case K.pageStateChanged:
        this.add(from, rows.level[i]!, -bytes);
        this.add(from, to, bytes);
        // What the host has for itself again, no guest has any more: a guest that ends is not asked page by page.
        if (from === COMPONENT.host && to === PAGE_STATE.owned) this.takeFromGuests(pa, bytes);
        return;
      case K.pageDonated:
        if (to === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.owned);
        else if (from === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.none);
        return;
      case K.pageShared:
        if (to === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.sharedBorrowed);
        else if (from === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.sharedOwned);
        return;
      case K.pageUnshared:
        if (to === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.none);
        else if (from === COMPONENT.guest) this.setGuest(pa, bytes, PAGE_STATE.owned);
        return;
      case K.pageReclaimed:
        this.setGuest(pa, bytes, PAGE_STATE.none);
        return;
      default:
    }
  }

  /** Forgets all: the machine is no more. */
  clear(): void {
    this.bytes.fill(0);
    this.guestPages.clear();
  }

  private takeFromGuests(pa: number, bytes: number): void {
    for (const page of this.guestPages.keys()) if (page >= pa && page < pa + bytes) this.setGuest(page, this.pageBytes, PAGE_STATE.none);
  }

  private setGuest(pa: number, bytes: number, state: number): void {
    for (let page = pa; page < pa + bytes; page += this.pageBytes) {
      const before = this.guestPages.get(page) ?? PAGE_STATE.none;
      this.add(COMPONENT.guest, before, -this.pageBytes);
      this.add(COMPONENT.guest, state, this.pageBytes);
      if (state === PAGE_STATE.none) this.guestPages.delete(page);
      else this.guestPages.set(page, state);
    }
  }

  private add(component: number, state: number, bytes: number): void {
    if (state < STATES && component < COMPONENTS.length) this.bytes[component * STATES + state]! += bytes;
  }
}
