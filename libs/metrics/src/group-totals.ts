import { K } from '@s2lab/events';
import type { MachineTally } from './machine-tally.ts';
import { AT, COUNTS } from './machine-tally.ts';
import { COMPONENTS, HELD_STATES } from './page-ownership.ts';

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
  virtualNs = 0;
  running = 0;
  tables = 0;
  tableBytes = 0;
  pageBytes = 0;
  blockBytes = 0;
  pendingFrees = 0;
  pendingPeak = 0;
  oldestPendingNs = 0;
  /** Guests that the hypervisors of running machines know. */
  guests = 0;
  /** Memory of pKVM machines, by COMPONENTS × HELD_STATES. */
  readonly owned = new Float64Array(COMPONENTS.length * HELD_STATES.length);

  constructor(labels: GroupLabels) {
    this.labels = labels;
  }

  /** Adds a machine’s counters, which only grow; what it holds now is for `addHeld`. */
  addCounters(tally: MachineTally): void {
    for (let i = 0; i < COUNTS; i += 1) this.counts[i]! += tally.counts[i]!;
    this.virtualNs += tally.virtualNs;
    this.pendingPeak = Math.max(this.pendingPeak, tally.pendingPeak);
  }

  /** Adds what a machine holds at this moment. */
  addHeld(tally: MachineTally): void {
    this.running += tally.running ? 1 : 0;
    this.tables += tally.tables;
    this.tableBytes += tally.tableBytes;
    this.pageBytes += tally.pageBytes;
    this.blockBytes += tally.blockBytes;
    this.pendingFrees += tally.pendingFrees;
    if (tally.running) this.guests += tally.counts[K.guestCreated]! - tally.counts[K.guestDestroyed]!;
    for (let i = 0; i < this.owned.length; i += 1) this.owned[i]! += tally.ownership.total[i]!;
    this.oldestPendingNs = Math.max(this.oldestPendingNs, tally.oldestPendingNs);
  }

  /** A copy of the counters alone: the start of the next sum. */
  copyCounters(): GroupTotals {
    const copy = new GroupTotals(this.labels);
    copy.counts.set(this.counts);
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
