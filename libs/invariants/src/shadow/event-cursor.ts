import type { ColumnName, EventRows } from '@s2lab/events';
import type { Actors } from './actors.ts';

const TWO_32 = 0x1_0000_0000;

/** Columns that the cursor does not show, so that no rule looks at them: who reads frames for a `Verifier` need not unpack them. */
export const UNREAD_COLUMNS: readonly ColumnName[] = ['walk'];

/** Rows that the window holds: so few that they stay in the processor's inner cache while they are folded. */
export const WINDOW_ROWS = 4096;

// The window: the columns of the rows under the fold, copied from their frame. There is one for all cursors, since the fold of rows is never
// interrupted. Compiled code knows the place of an array that is a constant of its module, so that a number in it is one load and one comparison
// away; one in an array that it must look up first, as those of a frame, is a dozen instructions away.
const KIND = new Uint8Array(WINDOW_ROWS);
const ACTOR = new Uint16Array(WINDOW_ROWS);
const STAGE2 = new Uint16Array(WINDOW_ROWS);
const LEVEL = new Int8Array(WINDOW_ROWS);
const SLOT = new Uint16Array(WINDOW_ROWS);
const TABLE = new Uint32Array(WINDOW_ROWS);
const OLD = new Int32Array(2 * WINDOW_ROWS);
const NEW = new Int32Array(2 * WINDOW_ROWS);
const IPA = new Uint32Array(2 * WINDOW_ROWS);
const ARG = new Uint32Array(WINDOW_ROWS);
const AUX = new Uint32Array(WINDOW_ROWS);
const OLD_WORDS = new Uint32Array(OLD.buffer);
const NEW_WORDS = new Uint32Array(NEW.buffer);

/**
 * The event under the fold, as plain numbers, each read from the window when somebody asks: descriptor halves are signed 32-bit numbers, addresses
 * doubles. One object per machine; it allocates nothing.
 */
export class EventCursor {
  /** The row of the window that the cursor points to. */
  row = 0;
  private firstSeq = 0;
  /** Times, and at which word those of the window begin. They are looked at once, one after the other, and so are not copied. */
  private times: Uint32Array = new Uint32Array(0);
  private firstTime = 0;
  /** Place of the live table that a descriptor, table or reference event names; -1 when there is none or it has no such slot. */
  place = -1;
  /** What the slot of a descriptor event held before it, as the shadow has it. */
  wasLo = 0;
  wasHi = 0;

  /** Takes rows `from` to `to` - 1 into the window, WINDOW_ROWS at most, and points to the first of them, event `firstSeq` of its machine. */
  open(rows: EventRows, from: number, to: number, firstSeq: number): void {
    this.row = 0;
    this.firstSeq = firstSeq;
    this.times = rows.at;
    this.firstTime = 2 * from;
    KIND.set(rows.kind.subarray(from, to));
    ACTOR.set(rows.actor.subarray(from, to));
    STAGE2.set(rows.stage2.subarray(from, to));
    LEVEL.set(rows.level.subarray(from, to));
    SLOT.set(rows.slot.subarray(from, to));
    TABLE.set(rows.table.subarray(from, to));
    OLD_WORDS.set(rows.old.subarray(2 * from, 2 * to));
    NEW_WORDS.set(rows.new.subarray(2 * from, 2 * to));
    IPA.set(rows.ipa.subarray(2 * from, 2 * to));
    ARG.set(rows.arg.subarray(from, to));
    AUX.set(rows.aux.subarray(from, to));
  }

  /** Number of the event in its machine. */
  get seq(): number {
    return this.firstSeq + this.row;
  }

  get kind(): number {
    return KIND[this.row]!;
  }

  get actor(): number {
    return ACTOR[this.row]!;
  }

  get level(): number {
    return LEVEL[this.row]!;
  }

  get slot(): number {
    return SLOT[this.row]!;
  }

  get table(): number {
    return TABLE[this.row]!;
  }

  get stage2(): number {
    return STAGE2[this.row]!;
  }

  get oldLo(): number {
    return OLD[2 * this.row]!;
  }

  get oldHi(): number {
    return OLD[2 * this.row + 1]!;
  }

  get newLo(): number {
    return NEW[2 * this.row]!;
  }

  get newHi(): number {
    return NEW[2 * this.row + 1]!;
  }

  get arg(): number {
    return ARG[this.row]!;
  }

  get aux(): number {
    return AUX[this.row]!;
  }

  /** Virtual time of the event, nanoseconds. */
  get at(): number {
    const word = this.firstTime + 2 * this.row;
    return this.times[word + 1]! * TWO_32 + this.times[word]!;
  }

  /** The `ipa` column. */
  get ipa(): number {
    return IPA[2 * this.row + 1]! * TWO_32 + IPA[2 * this.row]!;
  }

  /** The `old` column as a size in bytes. */
  get bytes(): number {
    return (this.oldHi >>> 0) * TWO_32 + (this.oldLo >>> 0);
  }

  /** The `new` column as a physical address. */
  get pa(): number {
    return (this.newHi >>> 0) * TWO_32 + (this.newLo >>> 0);
  }

  /** Takes over the times of rows `from` to `to` - 1. Returns the first row whose time is before the last one of its actor, or `to`. */
  advance(actors: Actors, from: number, to: number): number {
    const { times, firstTime } = this;
    for (let i = from; i < to; i++) {
      const actor = ACTOR[i]!;
      if (actor >= actors.count) actors.see(actor);
      const word = firstTime + 2 * i;
      const at = times[word + 1]! * TWO_32 + times[word]!;
      if (at < actors.lastAt[actor]!) return i;
      actors.lastAt[actor] = at;
    }
    return to;
  }
}

/** Looks at the event under the cursor: a rule, which never changes the world, or the world, which evolves by it. */
export type Handler = (e: EventCursor) => void;
