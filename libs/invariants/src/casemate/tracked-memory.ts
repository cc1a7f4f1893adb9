/** Bytes, slots and bits of one page of memory. */
const SLOTS = 512;
/** Most pages that may be followed at a time. @source casemate 3.0.2 MAX_BLOBS */
const PAGES_MAX = 8192;

/** Pages that there is room for before the arrays grow. */
const PAGES_AT_FIRST = 4;

/** Bits of `flags`. */
export const SLOT = {
  /** Memory that is followed. */
  init: 1,
  /** An entry of a table that a root leads to. */
  entry: 2,
  /** Below a table that was cut off and is not flushed yet. */
  frozen: 4,
  /** State: bits 4:3, one of STATE. */
  state: 0x18,
  /** Level: bits 6:5. */
  level: 0x60,
  stage1: 0x80,
  /** What the last valid descriptor was: bits 9:8, one of KIND. */
  kind: 0x300,
} as const;
/** States of an entry, in place in `flags`. */
export const STATE = { valid: 0, unclean: 0x08, clean: 0x10 } as const;
/** What a descriptor is, in place in `flags`. */
export const KIND = { invalid: 0, table: 0x100, leaf: 0x200 } as const;
/** Place of the level in `flags`. */
export const LEVEL_SHIFT = 5;

/** What a valid or invalid value means at a level; -1 when it is valid and means nothing there. One of KIND otherwise. */
export function kindOf(lo: number, level: number): number {
  if ((lo & 1) === 0) return KIND.invalid;
  if (level === 3) return (lo & 2) !== 0 ? KIND.leaf : -1;
  if ((lo & 2) !== 0) return KIND.table;
  return level === 0 ? -1 : KIND.leaf;
}

/**
 * Memory that a trace follows, in slots of 8 bytes: values and what each slot is. Pages are recycled, so that the arrays grow with the
 * memory followed at one time.
 */
export class TrackedMemory {
  private readonly pages = new Map<number, number>();
  private readonly free: number[] = [];
  private inUse = new Uint16Array(PAGES_AT_FIRST);
  private lastPage = -1;
  private lastBase = -1;
  lo = new Int32Array(PAGES_AT_FIRST * SLOTS);
  hi = new Int32Array(PAGES_AT_FIRST * SLOTS);
  flags = new Uint16Array(PAGES_AT_FIRST * SLOTS);
  /** Index of the root that leads to an entry. */
  root = new Int32Array(PAGES_AT_FIRST * SLOTS);
  /** First input address of an entry. */
  ia = new Float64Array(PAGES_AT_FIRST * SLOTS);
  /** Threads that own entries, by slot; few. */
  readonly owners = new Map<number, number>();

  /** Index of the slot that holds the 8 bytes at `page` (address / 4096) and `offset` (below 4096), or -1 when it was never handed in. */
  find(page: number, offset: number): number {
    if (page !== this.lastPage) {
      const at = this.pages.get(page);
      if (at === undefined) return -1;
      this.lastPage = page;
      this.lastBase = at * SLOTS;
    }
    return this.lastBase + (offset >>> 3);
  }

  /** As `find`, for an address below 2^53. */
  at(address: number): number {
    const page = Math.floor(address / 4096);
    return this.find(page, address - page * 4096);
  }

  /** As `find`, but makes a page that is not there; -1 when there is no room. */
  make(page: number, offset: number): number {
    const known = this.find(page, offset);
    if (known >= 0) return known;
    if (this.pages.size === PAGES_MAX) return -1;
    const at = this.free.pop() ?? this.pages.size;
    if (at >= this.inUse.length) this.grow();
    this.pages.set(page, at);
    return this.find(page, offset);
  }

  /** Begins to follow a slot, which holds zero. */
  initialise(i: number): void {
    this.flags[i] = SLOT.init;
    this.lo[i] = 0;
    this.hi[i] = 0;
    this.owners.delete(i);
    this.inUse[i >>> 9]! += 1;
  }

  /** Ends to follow a slot. */
  release(i: number, page: number): void {
    this.flags[i] = 0;
    const at = i >>> 9;
    this.inUse[at]! -= 1;
    if (this.inUse[at] !== 0) return;
    this.pages.delete(page);
    this.free.push(at);
    this.lastPage = -1;
  }

  /** Index of the first slot of `page` if all of it is followed, -1 otherwise. */
  whole(page: number): number {
    const first = this.find(page, 0);
    return first >= 0 && this.inUse[first >>> 9] === SLOTS ? first : -1;
  }

  /** The thread that owns an entry, -1 = none. */
  owner(i: number): number {
    return this.owners.size === 0 ? -1 : (this.owners.get(i) ?? -1);
  }

  private grow(): void {
    const pages = 2 * this.inUse.length;
    this.inUse = widened(this.inUse, new Uint16Array(pages));
    this.lo = widened(this.lo, new Int32Array(pages * SLOTS));
    this.hi = widened(this.hi, new Int32Array(pages * SLOTS));
    this.flags = widened(this.flags, new Uint16Array(pages * SLOTS));
    this.root = widened(this.root, new Int32Array(pages * SLOTS));
    this.ia = widened(this.ia, new Float64Array(pages * SLOTS));
  }
}

function widened<T extends Uint16Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
