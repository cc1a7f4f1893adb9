import { grown } from './tables.ts';

const EMPTY = -1;
const REMOVED = -2;
const CAPACITY_MIN = 32;
/** Blocks of one level that are looked up one by one; for more, the table is searched. */
const LOOKUPS_MAX = 4;

/** Most entries of one vCPU that the shadow follows: more than any TLB has, few enough for a hostile log. */
const CACHED_MAX = 2 ** 16;

/**
 * What one vCPU has cached, by level and block of addresses: a hash table with open addressing in typed arrays. An entry that was
 * invalidated stays, dead, until room is needed, so that a use of it can be told from a use of what never was there.
 */
export class CachedEntries {
  private mask = -1;
  private used = 0;
  /** Entries were given up for want of room: a missing one says nothing any more. */
  lossy = false;
  /** TLBI of everything, and the DSB that completed it: what was loaded before that TLBI is dead. */
  allKilledBy = -1;
  private allDeadAt = -1;
  /** Level of the descriptor, or a mark of a free place. */
  private level = new Int8Array(0);
  private block = new Float64Array(0);
  /** Translation: the halves of the leaf. Walk step: the next table and its generation. */
  first = new Int32Array(0);
  second = new Int32Array(0);
  /** Sequence number of the load of the descriptor from memory. */
  loadedAt = new Float64Array(0);
  private deadAt = new Float64Array(0);
  private killer = new Float64Array(0);

  /** Index of the entry, dead or alive, or -1. */
  find(level: number, block: number): number {
    if (this.used === 0) return -1;
    for (let i = this.home(level, block); ; i = (i + 1) & this.mask) {
      const at = this.level[i]!;
      if (at === EMPTY) return -1;
      if (at === level && this.block[i] === block) return i;
    }
  }

  /** Whether the entry at `i` was invalidated, and the DSB completed. */
  isDead(i: number): boolean {
    return this.loadedAt[i]! < this.allKilledBy || this.deadAt[i]! >= 0;
  }

  /** Sequence number of the DSB after which the dead entry at `i` must not be used. */
  diedAt(i: number): number {
    return this.deadAt[i]! >= 0 ? this.deadAt[i]! : this.allDeadAt;
  }

  /** Sequence number of the TLBI that invalidated the dead entry at `i`. */
  killedBy(i: number): number {
    return this.deadAt[i]! >= 0 ? this.killer[i]! : this.allKilledBy;
  }

  /** Adds an entry, or replaces the one of the same block, and returns its index. */
  put(level: number, block: number, first: number, second: number, loadedAt: number): number {
    if (2 * (this.used + 1) > this.level.length) this.rebuild();
    let i = this.home(level, block);
    let free = -1;
    for (; this.level[i] !== EMPTY; i = (i + 1) & this.mask) {
      if (this.level[i] === level && this.block[i] === block) break;
      if (this.level[i] === REMOVED && free < 0) free = i;
    }
    if (this.level[i] === EMPTY) {
      if (free >= 0) i = free;
      else this.used += 1;
      this.level[i] = level;
      this.block[i] = block;
    }
    this.first[i] = first;
    this.second[i] = second;
    this.loadedAt[i] = loadedAt;
    this.deadAt[i] = -1;
    return i;
  }

  /** Forgets the entry at `i`: it was evicted. */
  remove(i: number): void {
    this.level[i] = REMOVED;
  }

  /** Marks the entry at `i` as invalidated by the TLBI `killer`, completed by the DSB `deadAt`. */
  kill(i: number, killer: number, deadAt: number): void {
    if (this.deadAt[i]! >= 0) return;
    this.deadAt[i] = deadAt;
    this.killer[i] = killer;
  }

  /** Invalidates what was loaded before the TLBI `killer` was issued. */
  killAll(killer: number, deadAt: number): void {
    if (killer <= this.allKilledBy) return;
    this.allKilledBy = killer;
    this.allDeadAt = deadAt;
  }

  /** Invalidates what was loaded before the TLBI `killer` at `level`, in blocks `from` to `to` (both included). */
  killBlocks(level: number, from: number, to: number, killer: number, deadAt: number): void {
    if (this.used === 0) return;
    if (to - from < LOOKUPS_MAX) {
      for (let block = from; block <= to; block++) {
        const i = this.find(level, block);
        if (i >= 0 && this.loadedAt[i]! < killer) this.kill(i, killer, deadAt);
      }
      return;
    }
    for (let i = 0; i < this.level.length; i++) {
      if (this.level[i] !== level || this.block[i]! < from || this.block[i]! > to) continue;
      if (this.loadedAt[i]! < killer) this.kill(i, killer, deadAt);
    }
  }

  private home(level: number, block: number): number {
    return (Math.imul((block | 0) ^ (level << 28), 0x9e37_79b1) >>> 12) & this.mask;
  }

  /** Drops what is dead or removed, and makes room when that does not give enough. Allocates only then. */
  private rebuild(): void {
    let kept = 0;
    for (let i = 0; i < this.level.length; i++) {
      if (this.level[i]! < 0 || this.isDead(i)) continue;
      if (kept === SCRATCH.level.length) growScratch();
      SCRATCH.level[kept] = this.level[i]!;
      SCRATCH.block[kept] = this.block[i]!;
      SCRATCH.first[kept] = this.first[i]!;
      SCRATCH.second[kept] = this.second[i]!;
      SCRATCH.loadedAt[kept] = this.loadedAt[i]!;
      kept += 1;
    }
    if (kept >= CACHED_MAX) {
      this.lossy = true;
      kept = 0;
    }
    let size = Math.max(CAPACITY_MIN, this.level.length);
    while (size < 4 * (kept + 1)) size *= 2;
    if (size !== this.level.length) this.resize(size);
    this.level.fill(EMPTY);
    this.used = 0;
    for (let i = 0; i < kept; i++)
      this.put(SCRATCH.level[i]!, SCRATCH.block[i]!, SCRATCH.first[i]!, SCRATCH.second[i]!, SCRATCH.loadedAt[i]!);
  }

  private resize(size: number): void {
    this.mask = size - 1;
    this.level = new Int8Array(size);
    this.block = new Float64Array(size);
    this.first = new Int32Array(size);
    this.second = new Int32Array(size);
    this.loadedAt = new Float64Array(size);
    this.deadAt = new Float64Array(size);
    this.killer = new Float64Array(size);
  }
}

/** Where a rebuild keeps the entries meanwhile: one for all, since a rebuild is never interrupted. */
const SCRATCH = {
  level: new Int8Array(64),
  block: new Float64Array(64),
  first: new Int32Array(64),
  second: new Int32Array(64),
  loadedAt: new Float64Array(64),
};

function growScratch(): void {
  const size = 2 * SCRATCH.level.length;
  SCRATCH.level = grown(SCRATCH.level, new Int8Array(size));
  SCRATCH.block = grown(SCRATCH.block, new Float64Array(size));
  SCRATCH.first = grown(SCRATCH.first, new Int32Array(size));
  SCRATCH.second = grown(SCRATCH.second, new Int32Array(size));
  SCRATCH.loadedAt = grown(SCRATCH.loadedAt, new Float64Array(size));
}
