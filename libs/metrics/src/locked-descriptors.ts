import { isLocked } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';

/** Which descriptors of one machine are locked now, and by whom, from the descriptors written. */
export class LockedDescriptors {
  /** One locked descriptor, -1 = none: most are made before another one is locked, and then nothing is allocated. */
  private table = -1;
  private slot = -1;
  private actor = -1;
  /** The others by table page and slot: the actor. Tables without a locked descriptor are not in it. */
  private readonly tables = new Map<number, Map<number, number>>();

  /** Follows row i, in which a descriptor was written. */
  write(rows: EventRows, i: number): void {
    if (isLocked(rows.new[2 * i]!, rows.new[2 * i + 1]!)) this.lock(rows.table[i]!, rows.slot[i]!, rows.actor[i]!);
    else if (this.table >= 0 || this.tables.size > 0) this.release(rows.table[i]!, rows.slot[i]!);
  }

  /** Whether row i, in which a descriptor was read, found one that another actor had locked. */
  meets(rows: EventRows, i: number): boolean {
    if (!isLocked(rows.old[2 * i]!, rows.old[2 * i + 1]!)) return false;
    const table = rows.table[i]!;
    const slot = rows.slot[i]!;
    const owner = table === this.table && slot === this.slot ? this.actor : this.tables.get(table)?.get(slot);
    return owner !== rows.actor[i];
  }

  /** A table page that is freed locks nobody out. */
  dropTable(table: number): void {
    if (this.table === table) this.table = -1;
    if (this.tables.size > 0) this.tables.delete(table);
  }

  private lock(table: number, slot: number, actor: number): void {
    if (this.table < 0) {
      this.table = table;
      this.slot = slot;
      this.actor = actor;
      return;
    }
    let slots = this.tables.get(table);
    if (slots === undefined) {
      slots = new Map();
      this.tables.set(table, slots);
    }
    slots.set(slot, actor);
  }

  private release(table: number, slot: number): void {
    if (this.table === table && this.slot === slot) {
      this.table = -1;
      return;
    }
    const slots = this.tables.get(table);
    if (slots === undefined) return;
    slots.delete(slot);
    if (slots.size === 0) this.tables.delete(table);
  }
}
