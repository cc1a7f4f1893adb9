import type { EventRows } from '@s2lab/events';
import { K, TLBI } from '@s2lab/events';

const TWO_32 = 0x1_0000_0000;

/** Upper bounds of the histogram of a phase's commands, ns; a last bucket has none. */
export const COMMAND_LIMITS_NS = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] as const;

/** What a phase took. */
export interface PhaseFigures {
  /** Virtual ns from its begin until the last actor was through. */
  readonly ns: number;
  /** Virtual ns of the command of a vCPU that took longest. */
  readonly longestNs: number;
  /** Commands of vCPUs by how long they took: COMMAND_LIMITS_NS and one bucket more. */
  readonly commands: readonly number[];
  /** Events by kind (K). */
  readonly counts: Float64Array;
  /** Broadcast TLB flushes: calls of the kernel's functions, each of which ends with one invalidation of all combined entries. */
  readonly flushes: number;
  /** Most sub-trees that were retired and not yet freed at a time, and the longest that one of them was, ns. */
  readonly pendingPeak: number;
  readonly pendingNs: number;
  /** Last-level tables that are linked at the end of the phase. */
  readonly linkedTables: number;
}

/** Folds the events of a machine into figures of its phases, one after the other. */
export class PhaseTally {
  private counts = new Float64Array(256);
  private flushes = 0;
  private longestNs = 0;
  private commands = noCommands();
  private pendingPeak = 0;
  private pendingNs = 0;
  private linkedTables = 0;
  private readonly retiredAtNs = new Map<number, number>();

  /** A vCPU's command took `ns`. */
  command(ns: number): void {
    this.longestNs = Math.max(this.longestNs, ns);
    const bucket = COMMAND_LIMITS_NS.findIndex((limit) => ns <= limit);
    this.commands[bucket < 0 ? COMMAND_LIMITS_NS.length : bucket]! += 1;
  }

  /** Adds the rows from `first` on. */
  fold(rows: EventRows, first: number): void {
    for (let row = first; row < rows.length; row += 1) {
      const kind = rows.kind[row]!;
      this.counts[kind]! += 1;
      switch (kind) {
        case K.tlbiIssued:
          if (rows.arg[row] === TLBI.vmalle1is || rows.arg[row] === TLBI.vmalls12e1is) this.flushes += 1;
          break;
        case K.tableRetired:
          this.retiredAtNs.set(rows.table[row]!, timeOf(rows, row));
          this.pendingPeak = Math.max(this.pendingPeak, this.retiredAtNs.size);
          break;
        case K.reclaimEnded:
          this.reclaimed(rows.table[row]!, timeOf(rows, row));
          break;
        case K.tableLinked:
          if (rows.level[row] === 2) this.linkedTables += 1;
          break;
        case K.tableUnlinked:
          if (rows.level[row] === 2) this.linkedTables -= 1;
          break;
        default:
          break;
      }
    }
  }

  /** What was freed at once was never retired: nothing was pending. */
  private reclaimed(table: number, atNs: number): void {
    const since = this.retiredAtNs.get(table);
    if (since === undefined) return;
    this.retiredAtNs.delete(table);
    this.pendingNs = Math.max(this.pendingNs, atNs - since);
  }

  /** Ends a phase of `ns`: its figures; what is pending goes on into the next. */
  take(ns: number): PhaseFigures {
    const { counts, flushes, longestNs, commands, pendingPeak, pendingNs, linkedTables } = this;
    this.counts = new Float64Array(256);
    this.flushes = 0;
    this.longestNs = 0;
    this.commands = noCommands();
    this.pendingPeak = this.retiredAtNs.size;
    this.pendingNs = 0;
    return { ns, longestNs, commands, counts, flushes, pendingPeak, pendingNs, linkedTables };
  }
}

function noCommands(): number[] {
  return [...COMMAND_LIMITS_NS, 0].map(() => 0);
}

function timeOf(rows: EventRows, row: number): number {
  return rows.at[2 * row + 1]! * TWO_32 + rows.at[2 * row]!;
}
