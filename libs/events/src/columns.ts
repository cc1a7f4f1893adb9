/**
 * The columns of an event, in the order of the Arrow schema. One event is one row; a column that a kind does not use holds 0.
 * `u64` columns are stored as two unsigned 32-bit halves (low first), which is the memory layout of an Arrow Uint64.
 */
export const COLUMNS = [
  { name: 'at', type: 'u64', doc: 'Virtual time, nanoseconds since the machine started.' },
  { name: 'kind', type: 'u8', doc: 'Event kind, a code of KINDS.' },
  { name: 'actor', type: 'u16', doc: 'Who did it: vCPU 0…n-1, then the VMM thread n, then the reclaim worker n+1.' },
  { name: 'walk', type: 'u32', doc: 'Walk (one pass over the tables) this belongs to, counted from 1 per machine; 0 = none.' },
  { name: 'stage2', type: 'u16', doc: 'Stage-2 it concerns: its VMID.' },
  { name: 'level', type: 'i8', doc: 'Level of the descriptor, 0…3; -1 = unknown or none where the kind says so.' },
  { name: 'slot', type: 'u16', doc: 'Index of the descriptor in its table.' },
  { name: 'table', type: 'u32', doc: 'Table page: index of its page frame in the machine.' },
  { name: 'old', type: 'u64', doc: 'Descriptor observed before, or a size in bytes.' },
  { name: 'new', type: 'u64', doc: 'Descriptor written, or a physical address in bytes.' },
  { name: 'ipa', type: 'u64', doc: 'Input address, bytes.' },
  { name: 'arg', type: 'u32', doc: 'Argument of the kind: a code, a count, a result (two’s complement errno).' },
  { name: 'aux', type: 'u32', doc: 'Second argument of the kind.' },
] as const;

/** Name of an event column. */
export type ColumnName = (typeof COLUMNS)[number]['name'];

/** Element type of an event column. */
export type ColumnType = (typeof COLUMNS)[number]['type'];

/** Version of columns and kinds. A reader refuses any other major; kinds are only ever appended within one. */
export const SCHEMA_VERSION = 1;

/**
 * `length` events as typed arrays. Row i of a `u64` column is elements 2i (bits 31:0) and 2i+1 (bits 63:32).
 * Rows are consecutive events of one machine.
 */
export interface EventRows {
  readonly length: number;
  readonly at: Uint32Array;
  readonly kind: Uint8Array;
  readonly actor: Uint16Array;
  readonly walk: Uint32Array;
  readonly stage2: Uint16Array;
  readonly level: Int8Array;
  readonly slot: Uint16Array;
  readonly table: Uint32Array;
  readonly old: Uint32Array;
  readonly new: Uint32Array;
  readonly ipa: Uint32Array;
  readonly arg: Uint32Array;
  readonly aux: Uint32Array;
}

/** Rows in a frame: large enough for compression, small enough for a Kafka message below 1 MiB. */
export const FRAME_ROWS = 65_536;

const TWO_32 = 0x1_0000_0000;

/**
 * Columns that the engine writes into: a fixed capacity of rows, filled from 0. Writing allocates nothing. All columns of one element
 * size lie one behind the other in one typed array, so that an append touches three arrays and not thirteen.
 * When `length` reaches `capacity` the owner hands the rows on and calls `clear`.
 */
export class EventColumns implements EventRows {
  readonly capacity: number;
  length = 0;
  /** at, old, new, ipa (two words a row each), then walk, table, arg, aux. */
  private readonly words: Uint32Array;
  /** actor, stage2, slot. */
  private readonly halves: Uint16Array;
  /** kind, level. */
  private readonly bytes: Uint8Array;
  readonly at: Uint32Array;
  readonly kind: Uint8Array;
  readonly actor: Uint16Array;
  readonly walk: Uint32Array;
  readonly stage2: Uint16Array;
  readonly level: Int8Array;
  readonly slot: Uint16Array;
  readonly table: Uint32Array;
  readonly old: Uint32Array;
  readonly new: Uint32Array;
  readonly ipa: Uint32Array;
  readonly arg: Uint32Array;
  readonly aux: Uint32Array;

  /** @param capacity rows, at least 1 */
  constructor(capacity: number = FRAME_ROWS) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError(`event columns of ${capacity} rows: need at least 1`);
    this.capacity = capacity;
    this.words = new Uint32Array(12 * capacity);
    this.halves = new Uint16Array(3 * capacity);
    this.bytes = new Uint8Array(2 * capacity);
    const words = (from: number, count: number) => this.words.subarray(from * capacity, (from + count) * capacity);
    const halves = (from: number) => this.halves.subarray(from * capacity, (from + 1) * capacity);
    this.at = words(0, 2);
    this.old = words(2, 2);
    this.new = words(4, 2);
    this.ipa = words(6, 2);
    this.walk = words(8, 1);
    this.table = words(9, 1);
    this.arg = words(10, 1);
    this.aux = words(11, 1);
    this.actor = halves(0);
    this.stage2 = halves(1);
    this.slot = halves(2);
    this.kind = this.bytes.subarray(0, capacity);
    this.level = new Int8Array(this.bytes.buffer, capacity, capacity);
  }

  /** Forgets all rows. */
  clear(): void {
    this.length = 0;
  }

  /**
   * Appends one event. `at` and `ipa` are exact integers below 2^53; descriptors come as unsigned or signed 32-bit halves.
   * The caller makes sure that `length < capacity`.
   */
  append(
    kind: number,
    at: number,
    actor: number,
    walk: number,
    stage2: number,
    level: number,
    slot: number,
    table: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    const { words, halves, bytes, capacity, length: i } = this;
    let j = 2 * i;
    words[j] = at;
    words[j + 1] = at / TWO_32;
    words[(j += 2 * capacity)] = oldLo;
    words[j + 1] = oldHi;
    words[(j += 2 * capacity)] = newLo;
    words[j + 1] = newHi;
    words[(j += 2 * capacity)] = ipa;
    words[j + 1] = ipa / TWO_32;
    let k = 8 * capacity + i;
    words[k] = walk;
    words[(k += capacity)] = table;
    words[(k += capacity)] = arg;
    words[k + capacity] = aux;
    halves[i] = actor;
    halves[i + capacity] = stage2;
    halves[i + 2 * capacity] = slot;
    bytes[i] = kind;
    bytes[i + capacity] = level;
    this.length = i + 1;
  }
}

/** Value of row `i` of a `u64` column as a double: exact below 2^53 (times, sizes, addresses; not descriptors). */
export function wide(column: Uint32Array, i: number): number {
  return column[2 * i + 1]! * TWO_32 + column[2 * i]!;
}

/** Rows [from, to) of `rows` as views on the same memory. */
export function sliceRows(rows: EventRows, from: number, to: number): EventRows {
  return {
    length: to - from,
    at: rows.at.subarray(2 * from, 2 * to),
    kind: rows.kind.subarray(from, to),
    actor: rows.actor.subarray(from, to),
    walk: rows.walk.subarray(from, to),
    stage2: rows.stage2.subarray(from, to),
    level: rows.level.subarray(from, to),
    slot: rows.slot.subarray(from, to),
    table: rows.table.subarray(from, to),
    old: rows.old.subarray(2 * from, 2 * to),
    new: rows.new.subarray(2 * from, 2 * to),
    ipa: rows.ipa.subarray(2 * from, 2 * to),
    arg: rows.arg.subarray(from, to),
    aux: rows.aux.subarray(from, to),
  };
}

/** A copy of `rows` that shares no memory with it. */
export function copyRows(rows: EventRows): EventRows {
  const n = rows.length;
  return {
    length: n,
    at: rows.at.slice(0, 2 * n),
    kind: rows.kind.slice(0, n),
    actor: rows.actor.slice(0, n),
    walk: rows.walk.slice(0, n),
    stage2: rows.stage2.slice(0, n),
    level: rows.level.slice(0, n),
    slot: rows.slot.slice(0, n),
    table: rows.table.slice(0, n),
    old: rows.old.slice(0, 2 * n),
    new: rows.new.slice(0, 2 * n),
    ipa: rows.ipa.slice(0, 2 * n),
    arg: rows.arg.slice(0, n),
    aux: rows.aux.slice(0, n),
  };
}
