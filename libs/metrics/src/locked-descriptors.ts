import { isLocked } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';

/** Which descriptors of one machine are locked now, and by whom, from the descriptors written. */
export class LockedDescriptors {
  /** By table page and slot: the actor. Few at a time; tables without a locked descriptor are not in it. */
  private readonly tables = new Map<number, Map<number, number>>();

  /** Follows row i, in which a descriptor was written. */
  write(rows: EventRows, i: number): void {
    if (isLocked(rows.new[2 * i]!, rows.new[2 * i + 1]!)) this.lock(rows.table[i]!, rows.slot[i]!, rows.actor[i]!);
    else if (this.tables.size > 0) this.release(rows.table[i]!, rows.slot[i]!);
  }

  /** Whether row i, in which a descriptor was read, found one that another actor had locked. */
  meets(rows: EventRows, i: number): boolean {
    if (!isLocked(rows.old[2 * i]!, rows.old[2 * i + 1]!)) return false;
    return this.tables.get(rows.table[i]!)?.get(rows.slot[i]!) !== rows.actor[i];
  }

  /** A table page that is freed locks nobody out. */
  dropTable(table: number): void {
    if (this.tables.size > 0) this.tables.delete(table);
  }

  private lock(table: number, slot: number, actor: number): void {
    let slots = this.tables.get(table);
    if (slots === undefined) {
      slots = new Map();
      this.tables.set(table, slots);
    }
    slots.set(slot, actor);
  }

  private release(table: number, slot: number): void {
    const slots = this.tables.get(table);
    if (slots === undefined) return;
    slots.delete(slot);
    if (slots.size === 0) this.tables.delete(table);
  }
}
