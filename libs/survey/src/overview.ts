import type { EventRows } from '@s2lab/events';
import { K, UNLINK_CAUSE, wide } from '@s2lab/events';

/** What is known of each bucket of a machine's log. */
export const OVERVIEW_FIELDS = [
  /** Violations found in it. */
  'violations',
  /** Sub-trees replaced by a block. */
  'collapses',
  /** Stage-2 faults taken. */
  'faults',
  /** Most frees pending at once. */
  'pending',
  /** Most table pages live at once. */
  'tables',
] as const;

/** Name of a number of a bucket. */
export type OverviewField = (typeof OVERVIEW_FIELDS)[number];

/** A phase of the scenario and the event that began it. */
export interface PhaseStart {
  readonly seq: number;
  readonly phase: number;
}

/** A machine's whole log at a glance: consecutive buckets of `width` events each, the first begins at event 0. */
export interface Overview extends Readonly<Record<OverviewField, readonly number[]>> {
  readonly width: number;
  /** Virtual time of the first event of each bucket, ns. */
  readonly at: readonly number[];
  readonly phases: readonly PhaseStart[];
}

/** Buckets of an overview at most; with twice the events they are twice as wide. */
const BUCKETS_MAX = 1024;
/** Events of a bucket at first. */
const WIDTH_MIN = 1;
/** Phases kept at most: an endless scenario goes through them again and again. */
const PHASES_MAX = 256;

/** Makes the overview of one machine, as its events come. */
export class OverviewFold {
  width = WIDTH_MIN;
  private readonly at: number[] = [];
  private readonly sums: Record<OverviewField, number[]> = { violations: [], collapses: [], faults: [], pending: [], tables: [] };
  private readonly phases: PhaseStart[] = [];
  private pending = 0;
  private tables = 0;
  /** Retired sub-trees that their walkers free, not the reclaim worker. */
  private readonly held = new Set<number>();

  /** Event at which the bucket of `seq` ends. */
  endOfBucket(seq: number): number {
    return (Math.floor(seq / this.width) + 1) * this.width;
  }

  /** Folds rows [from, to), which lie in one bucket; row 0 is event `firstSeq`. */
  fold(rows: EventRows, from: number, to: number, firstSeq: number, violations: number): void {
    const bucket = this.bucketOf(firstSeq + from, wide(rows.at, from));
    const { kind } = rows;
    const { sums } = this;
    let collapses = 0;
    let faults = 0;
    let pending = this.pending;
    let tables = this.tables;
    for (let i = from; i < to; i += 1) {
      switch (kind[i]!) {
        case K.faultTaken:
          faults += 1;
          break;
        case K.tableUnlinked:
          if (rows.aux[i] === UNLINK_CAUSE.collapse || rows.aux[i] === UNLINK_CAUSE.idle) collapses += 1;
          break;
        case K.tableAllocated:
        case K.tableReused:
          this.tables += 1;
          tables = Math.max(tables, this.tables);
          break;
        case K.tableFreed:
          this.tables -= 1;
          if (this.held.delete(rows.table[i]!)) this.pending -= 1;
          break;
        case K.tableRetired:
          if (rows.arg[i] === 1) this.held.add(rows.table[i]!);
          this.pending += 1;
          pending = Math.max(pending, this.pending);
          break;
        case K.reclaimEnded:
          this.pending -= 1;
          break;
        case K.phaseBegan:
          if (this.phases.length < PHASES_MAX) this.phases.push({ seq: firstSeq + i, phase: rows.arg[i]! });
          break;
        default:
      }
    }
    sums.violations[bucket]! += violations;
    sums.collapses[bucket]! += collapses;
    sums.faults[bucket]! += faults;
    sums.pending[bucket] = Math.max(sums.pending[bucket]!, pending);
    sums.tables[bucket] = Math.max(sums.tables[bucket]!, tables);
  }

  /** The overview so far. */
  overview(): Overview {
    return { width: this.width, at: [...this.at], phases: [...this.phases], ...this.copies() };
  }

  private copies(): Record<OverviewField, number[]> {
    const { violations, collapses, faults, pending, tables } = this.sums;
    return { violations: [...violations], collapses: [...collapses], faults: [...faults], pending: [...pending], tables: [...tables] };
  }

  private bucketOf(seq: number, at: number): number {
    while (Math.floor(seq / this.width) >= BUCKETS_MAX) this.widen();
    const bucket = Math.floor(seq / this.width);
    while (this.at.length <= bucket) {
      this.at.push(at);
      for (const field of OVERVIEW_FIELDS) this.sums[field].push(0);
    }
    return bucket;
  }

  private widen(): void {
    this.width *= 2;
    const { sums } = this;
    const half = Math.ceil(this.at.length / 2);
    for (let i = 0; i < half; i += 1) {
      this.at[i] = this.at[2 * i]!;
      for (const field of ['violations', 'collapses', 'faults'] as const)
        sums[field][i] = sums[field][2 * i]! + (sums[field][2 * i + 1] ?? 0);
      for (const field of ['pending', 'tables'] as const) sums[field][i] = Math.max(sums[field][2 * i]!, sums[field][2 * i + 1] ?? 0);
    }
    this.at.length = half;
    for (const field of OVERVIEW_FIELDS) sums[field].length = half;
  }
}
