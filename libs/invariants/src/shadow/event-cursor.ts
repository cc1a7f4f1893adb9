import type { ColumnName, EventRows } from '@s2lab/events';
import { EventColumns } from '@s2lab/events';

const TWO_32 = 0x1_0000_0000;

/** Columns that the cursor does not show, so that no rule looks at them: who reads frames for a `Verifier` need not unpack them. */
export const UNREAD_COLUMNS: readonly ColumnName[] = ['walk'];

/**
 * The event under the fold, as plain numbers: what nearly every event uses is loaded once, the rest is read from its column when a rule asks.
 * Descriptor halves are signed 32-bit numbers (`| 0`), addresses doubles. One object per machine; loading allocates nothing.
 */
export class EventCursor {
  seq = 0;
  kind = 0;
  actor = 0;
  level = 0;
  slot = 0;
  table = 0;
  oldLo = 0;
  oldHi = 0;
  row = 0;
  /** Place of the live table that a descriptor, table or reference event names; -1 when there is none or it has no such slot. */
  place = -1;
  /** What the slot of a descriptor event held before it, as the shadow has it. */
  wasLo = 0;
  wasHi = 0;
  rows: EventRows = new EventColumns(1);
  private ats = this.rows.at;
  private ipas = this.rows.ipa;
  private kinds = this.rows.kind;
  private actors = this.rows.actor;
  private stage2s = this.rows.stage2;
  private levels = this.rows.level;
  private slots = this.rows.slot;
  private tables = this.rows.table;
  private olds = this.rows.old;
  private news = this.rows.new;
  private args = this.rows.arg;
  private auxs = this.rows.aux;

  /** Takes the columns of `rows`; `load` picks a row of them. */
  open(rows: EventRows): void {
    this.rows = rows;
    this.ats = rows.at;
    this.ipas = rows.ipa;
    this.kinds = rows.kind;
    this.actors = rows.actor;
    this.stage2s = rows.stage2;
    this.levels = rows.level;
    this.slots = rows.slot;
    this.tables = rows.table;
    this.olds = rows.old;
    this.news = rows.new;
    this.args = rows.arg;
    this.auxs = rows.aux;
  }

  /** Points the cursor at row `i`, the event number `seq` of its machine. */
  load(i: number, seq: number): void {
    const j = 2 * i;
    this.row = i;
    this.seq = seq;
    this.kind = this.kinds[i]!;
    this.actor = this.actors[i]!;
    this.level = this.levels[i]!;
    this.slot = this.slots[i]!;
    this.table = this.tables[i]!;
    this.oldLo = this.olds[j]! | 0;
    this.oldHi = this.olds[j + 1]! | 0;
  }

  get stage2(): number {
    return this.stage2s[this.row]!;
  }

  get newLo(): number {
    return this.news[2 * this.row]! | 0;
  }

  get newHi(): number {
    return this.news[2 * this.row + 1]! | 0;
  }

  get arg(): number {
    return this.args[this.row]!;
  }

  get aux(): number {
    return this.auxs[this.row]!;
  }

  /** Virtual time of the event, nanoseconds. */
  get at(): number {
    return this.ats[2 * this.row + 1]! * TWO_32 + this.ats[2 * this.row]!;
  }

  /** The `ipa` column. */
  get ipa(): number {
    return this.ipas[2 * this.row + 1]! * TWO_32 + this.ipas[2 * this.row]!;
  }

  /** The `old` column as a size in bytes. */
  get bytes(): number {
    return (this.oldHi >>> 0) * TWO_32 + (this.oldLo >>> 0);
  }

  /** The `new` column as a physical address. */
  get pa(): number {
    return (this.newHi >>> 0) * TWO_32 + (this.newLo >>> 0);
  }
}

/** Looks at the event under the cursor: a rule, which never changes the world, or the world, which evolves by it. */
export type Handler = (e: EventCursor) => void;
