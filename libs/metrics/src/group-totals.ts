import type { MachineTally } from './machine-tally.ts';
import { AT, COUNTS } from './machine-tally.ts';
import { PAGE_COUNT_TOTAL, PageTally } from './page-tally.ts';

/** Values of GROUP_LABELS. */
export interface GroupLabels {
  readonly policy: string;
  readonly machine_kind: string;
  readonly workload: string;
}

/** What the machines of one policy, machine kind and workload add up to. */
export class GroupTotals {
  readonly labels: GroupLabels;
  readonly counts = new Float64Array(COUNTS);
  readonly pageCounts = new Float64Array(PAGE_COUNT_TOTAL);
  readonly pageStates = new Float64Array(new PageTally().states.length);
  guests = 0;
  virtualNs = 0;
  running = 0;
  tables = 0;
  tableBytes = 0;
  pageBytes = 0;
  blockBytes = 0;
  pendingFrees = 0;
  pendingPeak = 0;
  oldestPendingNs = 0;

  constructor(labels: GroupLabels) {
    this.labels = labels;
  }

  /** Adds a machine’s counters, which only grow; what it holds now is for `addHeld`. */
  addCounters(tally: MachineTally): void {
    for (let i = 0; i < COUNTS; i += 1) this.counts[i]! += tally.counts[i]!;
    for (let i = 0; i < PAGE_COUNT_TOTAL; i += 1) this.pageCounts[i]! += tally.pages.counts[i]!;
    this.virtualNs += tally.virtualNs;
    this.pendingPeak = Math.max(this.pendingPeak, tally.pendingPeak);
  }

  /** Adds what a machine holds at this moment. */
  addHeld(tally: MachineTally): void {
    this.running += tally.running ? 1 : 0;
    for (let i = 0; tally.running && i < this.pageStates.length; i += 1) this.pageStates[i]! += tally.pages.states[i]!;
    this.guests += tally.running ? tally.pages.guests : 0;
    this.tables += tally.tables;
    this.tableBytes += tally.tableBytes;
    this.pageBytes += tally.pageBytes;
    this.blockBytes += tally.blockBytes;
    this.pendingFrees += tally.pendingFrees;
    this.oldestPendingNs = Math.max(this.oldestPendingNs, tally.oldestPendingNs);
  }

  /** A copy of the counters alone: the start of the next sum. */
  copyCounters(): GroupTotals {
    const copy = new GroupTotals(this.labels);
    copy.counts.set(this.counts);
    copy.pageCounts.set(this.pageCounts);
    copy.virtualNs = this.virtualNs;
    copy.pendingPeak = this.pendingPeak;
    return copy;
  }

  /** Sum of `length` counters from `first` on. */
  sum(first: number, length: number): number {
    let total = 0;
    for (let i = first; i < first + length; i += 1) total += this.counts[i]!;
    return total;
  }
}

/** Name of a machine among all runs a reader sees. */
export function machineKey(origin: { readonly run: string; readonly machine: number }): string {
  return `${origin.run}/${origin.machine}`;
}

/** Events of the group. */
export function rowsOf(group: GroupTotals): number {
  return group.counts[AT.rows]!;
}
