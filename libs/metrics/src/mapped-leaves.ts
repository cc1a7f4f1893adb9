import { LO_TYPE, LO_VALID } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';

/** Levels at which a leaf can be: 0 to 3. */
export const LEAF_LEVELS = 4;

/** Level of pages; leaves above are blocks. */
export const PAGE_LEVEL = 3;

/**
 * Valid leaf descriptors of one machine, by level, from the descriptors written. A table that is unlinked takes its leaves with it: nothing
 * is written into them then. Leaves of tables further down go when those are freed.
 */
export class MappedLeaves {
  private readonly leaves = new Float64Array(LEAF_LEVELS);
  /** Leaves in a table page, by its page frame, and their level; grows with the largest frame seen. */
  private inTable = new Int16Array(1024);
  private levelOf = new Int8Array(1024);

  /** Counts row i, in which a descriptor was written. Returns how many leaves there are more: 1, 0 or -1. */
  replace(rows: EventRows, i: number): number {
    const level = rows.level[i]!;
    const delta = leafAt(level, rows.new[2 * i]!) - leafAt(level, rows.old[2 * i]!);
    if (delta === 0) return 0;
    const table = rows.table[i]!;
    if (table >= this.inTable.length) this.grow(table);
    this.inTable[table]! += delta;
    this.levelOf[table] = level;
    this.leaves[level]! += delta;
    return delta;
  }

  /** Forgets the leaves of a table page. */
  dropTable(table: number): void {
    if (table >= this.inTable.length) return;
    this.leaves[this.levelOf[table]!]! -= this.inTable[table]!;
    this.inTable[table] = 0;
  }

  /** Forgets all: the machine is no more. */
  clear(): void {
    this.leaves.fill(0);
    this.inTable = new Int16Array(0);
    this.levelOf = new Int8Array(0);
  }

  /** Bytes that pages map. Never below 0: a reader that joined late has not seen all that is taken away. */
  pageBytes(pageShift: number): number {
    return Math.max(0, this.leaves[PAGE_LEVEL]!) * 2 ** pageShift;
  }

  /** Bytes that blocks map. `indexBits`: log2 of the descriptors in a table, 0 for those of the granule. */
  blockBytes(pageShift: number, indexBits = 0): number {
    const bits = indexBits === 0 ? pageShift - 3 : indexBits;
    let bytes = 0;
    for (let level = 0; level < PAGE_LEVEL; level += 1)
      bytes += Math.max(0, this.leaves[level]!) * 2 ** (pageShift + (PAGE_LEVEL - level) * bits);
    return bytes;
  }

  private grow(table: number): void {
    const length = 2 ** Math.ceil(Math.log2(table + 1));
    const inTable = new Int16Array(length);
    const levelOf = new Int8Array(length);
    inTable.set(this.inTable);
    levelOf.set(this.levelOf);
    this.inTable = inTable;
    this.levelOf = levelOf;
  }
}

/** 1 when the descriptor with the low word `lo` is a leaf at `level`: there the type bit says page, above it says table. */
function leafAt(level: number, lo: number): number {
  if ((lo & LO_VALID) === 0 || level < 0) return 0;
  return ((lo & LO_TYPE) !== 0) === (level === PAGE_LEVEL) ? 1 : 0;
}
