import type { MachineTally } from '@s2lab/metrics';
import { AT } from '@s2lab/metrics';
import { FAULT, K, LOCK_MODE, TLBI } from '@s2lab/events';
import { compact, virtualText } from './progress.ts';

/** Figures of one machine after a run: the shape of `machines` in `run --json` and `record --json`. */
export interface MachineSummary {
  readonly machine: number;
  readonly policy: string;
  readonly machineKind: string;
  readonly workload: string;
  readonly events: number;
  readonly virtualNs: number;
  readonly faults: number;
  readonly collapses: number;
  /** Blocks made after dirty logging ended, whatever they replaced. */
  readonly blocksReturned: number;
  readonly splits: number;
  readonly pendingFrees: number;
  readonly pendingFreesPeak: number;
  readonly reclaims: number;
  readonly gracePeriods: number;
  readonly tlbInvalidations: number;
  readonly barriers: number;
  readonly walkRetries: number;
  readonly lockWaits: number;
  readonly lockWaitNs: number;
  readonly tlbHits: number;
  readonly tlbMisses: number;
  readonly tables: number;
  readonly tablesPeak: number;
  /** Loads by walkers that found a descriptor locked by another. */
  readonly lockedMet: number;
  readonly swapsFailed: number;
}

/** Figures of one machine. */
export function summarise(tally: MachineTally): MachineSummary {
  const { origin, counts } = tally;
  const sum = (first: number, codes: Readonly<Record<string, number>>): number =>
    Object.values(codes).reduce((total, code) => total + counts[first + code]!, 0);
  return {
    machine: origin.machine,
    policy: origin.policy,
    machineKind: origin.machineKind,
    workload: origin.workload,
    events: counts[AT.rows]!,
    virtualNs: tally.virtualNs,
    faults: Object.values(FAULT).reduce((total, fault) => total + tally.faultsOf(fault), 0),
    collapses: counts[AT.collapses]!,
    blocksReturned: counts[AT.blocksBack]!,
    splits: counts[AT.splits]!,
    pendingFrees: tally.pendingFrees,
    pendingFreesPeak: tally.pendingPeak,
    reclaims: counts[K.reclaimEnded]!,
    gracePeriods: counts[K.gracePeriodEnded]!,
    tlbInvalidations: sum(AT.tlbi, TLBI),
    barriers: counts[K.dsbCompleted]!,
    walkRetries: counts[AT.retries]!,
    lockWaits: sum(AT.contended, LOCK_MODE),
    lockWaitNs: sum(AT.waitNs, LOCK_MODE),
    tlbHits: counts[AT.tlbHits]!,
    tlbMisses: counts[AT.tlbMisses]!,
    tables: tally.tables,
    tablesPeak: tally.tablesPeak,
    lockedMet: counts[AT.lockedMet]!,
    swapsFailed: counts[K.descriptorSwapFailed]!,
  };
}

const COLUMNS: readonly (readonly [heading: string, text: (machine: MachineSummary) => string])[] = [
  ['machine', (m) => `#${m.machine}`],
  ['policy', (m) => m.policy],
  ['events', (m) => compact(m.events)],
  ['virtual time', (m) => virtualText(m.virtualNs)],
  ['faults', (m) => compact(m.faults)],
  ['collapses', (m) => compact(m.collapses)],
  ['splits', (m) => compact(m.splits)],
  ['pending (peak)', (m) => `${m.pendingFrees} (${m.pendingFreesPeak})`],
  ['TLBIs', (m) => compact(m.tlbInvalidations)],
  ['retries', (m) => compact(m.walkRetries)],
  ['lock waits', (m) => compact(m.lockWaits)],
  ['waited', (m) => virtualText(m.lockWaitNs)],
];

/** The figures as a table for people. */
export function summaryTable(machines: readonly MachineSummary[]): string {
  const rows = [COLUMNS.map(([heading]) => heading), ...machines.map((machine) => COLUMNS.map(([, text]) => text(machine)))];
  const widths = COLUMNS.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  return rows
    .map((row) =>
      row
        .map((text, c) => (c < 2 ? text.padEnd(widths[c]!) : text.padStart(widths[c]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
