import { isLocked, isTable, outputAddress } from '@s2lab/arch';
import type { Geometry } from '@s2lab/arch';
import { LINK_CAUSE, UNLINK_CAUSE } from '@s2lab/events';

/** How a descriptor write changed the tree. */
export interface LinkChange {
  /** Table that hangs below the slot now; and why (LINK_CAUSE). */
  readonly linked: number | undefined;
  readonly linkCause: number;
  /** Table that hung below the slot before. */
  readonly unlinked: number | undefined;
}

interface Place {
  base: number;
  level: number;
  linked: boolean;
}

/** What the importer must know of the tables that exist now to say where a write is and what it links. */
export class TableMap {
  private readonly shape: Geometry;
  private readonly tableBase: number;
  private readonly places = new Map<number, Place>();
  /** Slots between break and make that held a block or page before. */
  private readonly brokenLeaves = new Set<string>();

  constructor(shape: Geometry, tableBase: number) {
    this.shape = shape;
    this.tableBase = tableBase;
  }

  /** A root page: the `index`-th of the concatenated ones. */
  addRoot(table: number, index: number): void {
    this.places.set(table, { base: index * this.span(this.shape.startLevel - 1), level: this.shape.startLevel, linked: true });
  }

  /** A fresh table that hangs nowhere. */
  add(table: number): void {
    this.places.set(table, { base: 0, level: -1, linked: false });
  }

  delete(table: number): void {
    this.places.delete(table);
  }

  /** Input address of a slot. */
  ipa(table: number, slot: number, level: number): number {
    const place = this.places.get(table);
    return place === undefined ? 0 : place.base + slot * this.span(level);
  }

  /** Table a descriptor points to. */
  child(lo: number, hi: number): number {
    return (outputAddress(this.shape, lo, hi) - this.tableBase) / this.shape.pageBytes;
  }

  /** Folds a write and says what it linked and unlinked. */
  write(table: number, slot: number, level: number, oldLo: number, oldHi: number, newLo: number, newHi: number): LinkChange {
    const wasTable = isTable(oldLo, level);
    const isNow = isTable(newLo, level);
    const key = `${table}/${slot}`;
    const splits = this.brokenLeaves.delete(key) || ((oldLo & 1) !== 0 && !wasTable);
    if (isLocked(newLo, newHi) && (oldLo & 1) !== 0 && !wasTable) this.brokenLeaves.add(key);
    let linkCause: number = LINK_CAUSE.grow;
    if (isNow) {
      const parent = this.places.get(table);
      const child = this.places.get(this.child(newLo, newHi));
      if (parent !== undefined && child !== undefined) {
        child.base = parent.base + slot * this.span(level);
        child.level = level + 1;
        child.linked = parent.linked;
        linkCause = !parent.linked ? LINK_CAUSE.prebuilt : splits ? LINK_CAUSE.split : LINK_CAUSE.grow;
      }
    }
    return { linked: isNow ? this.child(newLo, newHi) : undefined, linkCause, unlinked: wasTable ? this.child(oldLo, oldHi) : undefined };
  }

  private span(level: number): number {
    return 2 ** (this.shape.bitsPerLevel * (4 - level) + 3);
  }
}

/** Why an operation of this name unlinks tables. */
export function unlinkCause(operation: string): number {
  switch (operation) {
    case 'unmap':
    case 'unmap_gfn':
    case 'delete':
      return UNLINK_CAUSE.empty;
    case 'destroy':
    case 'destroy_vm':
    case 'rcu_gp':
      return UNLINK_CAUSE.teardown;
    case 'annotate':
      return UNLINK_CAUSE.annotate;
    default:
      return UNLINK_CAUSE.collapse;
  }
}
