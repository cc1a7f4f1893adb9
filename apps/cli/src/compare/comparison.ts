import { assembleFleet, MetricsSink, pump } from '@s2lab/fleet';
import { AT, EventMetrics, LOCK_WAIT_BUCKET_COUNT, LOCK_WAIT_BUCKETS } from '@s2lab/metrics';
import { LOCK_MODE } from '@s2lab/events';
import type { Recordings, Scenario } from '@s2lab/scenarios';
import { VerifyingSink } from '@s2lab/verifier';
import type { CoalesceMode, CollapseMode, TeardownOrder } from '@s2lab/engine';
import { summarise } from '../summary.ts';
import { BLOCKED_LIMITS_NS, BlockedWalkers } from './blocked-walkers.ts';
import { PendingCurve } from './pending-curve.ts';

/** Figures of one policy at one number of vCPUs, all machines of the scenario added up: a row of the table. */
export interface ComparedRun {
  readonly policy: string;
  readonly vcpus: number;
  /** What else was set for every machine, such as `in-place, teardown before`; empty when the scenario decided all. */
  readonly design: string;
  readonly verdict: string;
  readonly events: number;
  /** Virtual time of the last machine’s end. */
  readonly virtualNs: number;
  readonly faults: number;
  readonly collapses: number;
  /** Blocks made after dirty logging ended, whether in place of a table or where nothing was mapped any more. */
  readonly blocksReturned: number;
  /** Those per virtual second of the whole run. */
  readonly collapseRate: number;
  /** Share of the mapped memory that pages map, when blocks had their time to come back; null when nothing was mapped. */
  readonly residual4k: number | null;
  readonly splits: number;
  readonly tlbInvalidations: number;
  readonly barriers: number;
  /** Walks that started anew from the root. */
  readonly walkRetries: number;
  /** Loads that found a descriptor locked by another walker. */
  readonly spins: number;
  /** Compare-and-exchanges that lost. */
  readonly swapsFailed: number;
  readonly lockWaits: number;
  readonly lockWaitNs: number;
  /** Waits by upper bound in seconds; the last one has no bound. */
  readonly waits: readonly { readonly below: number | null; readonly count: number }[];
  /** How long walkers were blocked by a locked descriptor, by upper bound in seconds; the last one has no bound. */
  readonly blocked: readonly { readonly below: number | null; readonly count: number }[];
  readonly blockedNs: number;
  readonly blockedLongestNs: number;
  readonly pendingPeak: number;
  /** Sub-trees × virtual nanoseconds. */
  readonly pendingIntegral: number;
  readonly oldestPendingNs: number;
  readonly pending: { readonly at: readonly number[]; readonly pending: readonly number[] };
  /** Most table pages, each machine's own peak added up, and their memory. */
  readonly tablesPeak: number;
  readonly tableBytesPeak: number;
}

/** One point of the comparison: what is set for every machine of the scenario. */
export interface ComparedDesign {
  readonly policy: string;
  readonly vcpus: number;
  readonly collapse: CollapseMode | undefined;
  readonly teardown: TeardownOrder | undefined;
  readonly tlbRange: boolean | undefined;
  /** Of machines of kind pkvm. */
  readonly coalesce: CoalesceMode | undefined;
}

/** The scenario with every machine as `design` says. */
function designed(scenario: Scenario, { vcpus, collapse, teardown, tlbRange, coalesce }: ComparedDesign): Scenario {
  const machines = scenario.machines.map((machine) => ({
    ...machine,
    vcpus,
    collapse: collapse ?? machine.collapse,
    teardown: teardown ?? machine.teardown,
    coalesce: machine.kind === 'pkvm' ? (coalesce ?? machine.coalesce) : machine.coalesce,
    features: tlbRange === undefined ? machine.features : { ...machine.features, tlbRange },
  }));
  return { ...scenario, machines };
}

function designText({ collapse, teardown, tlbRange, coalesce }: ComparedDesign): string {
  const range = tlbRange === undefined ? undefined : `range ${tlbRange ? 'on' : 'off'}`;
  const parts = [collapse, teardown && `teardown ${teardown}`, range, coalesce && `coalescing ${coalesce}`];
  return parts.filter((part) => part !== undefined).join(', ');
}

/** Runs `scenario` with every machine as `design` says, and takes its figures. */
export async function compareRun(
  scenario: Scenario,
  recordings: Recordings,
  design: ComparedDesign,
  run: {
    readonly seed: number;
    readonly untilNs: number | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ComparedRun> {
  const fleet = assembleFleet(designed(scenario, design), { seed: run.seed, policy: design.policy, recordings });
  const metrics = new EventMetrics();
  const verifier = new VerifyingSink();
  const curve = new PendingCurve();
  const blocked = new BlockedWalkers();
  const outcome = await pump(fleet.producer, [new MetricsSink(metrics), blocked, curve, verifier], {
    speed: 0,
    untilNs: run.untilNs ?? scenario.durationNs,
    signal: run.signal,
  });
  const all = Array.from(metrics.machines(), summarise);
  const sum = (of: (machine: (typeof all)[number]) => number): number => all.reduce((total, machine) => total + of(machine), 0);
  const tallies = [...metrics.machines()];
  const pages = tallies.reduce((total, { settled }) => total + settled.pageBytes, 0);
  const mapped = tallies.reduce((total, { settled }) => total + settled.pageBytes + settled.blockBytes, 0);
  const pending = curve.points();
  return {
    policy: design.policy,
    vcpus: design.vcpus,
    design: designText(design),
    verdict: verifier.verdict().verdict,
    events: outcome.events,
    virtualNs: outcome.virtualNs,
    faults: sum((m) => m.faults),
    collapses: sum((m) => m.collapses),
    blocksReturned: sum((m) => m.blocksReturned),
    collapseRate: sum((m) => m.blocksReturned) / (outcome.virtualNs / 1e9),
    residual4k: mapped === 0 ? null : pages / mapped,
    splits: sum((m) => m.splits),
    tlbInvalidations: sum((m) => m.tlbInvalidations),
    barriers: sum((m) => m.barriers),
    walkRetries: sum((m) => m.walkRetries),
    spins: sum((m) => m.lockedMet),
    swapsFailed: sum((m) => m.swapsFailed),
    lockWaits: sum((m) => m.lockWaits),
    lockWaitNs: sum((m) => m.lockWaitNs),
    waits: waitHistogram(metrics),
    blocked: blocked.counts.map((count, i) => ({ below: i < BLOCKED_LIMITS_NS.length ? BLOCKED_LIMITS_NS[i]! / 1e9 : null, count })),
    blockedNs: blocked.totalNs,
    blockedLongestNs: blocked.longestNs,
    pendingPeak: curve.peak,
    pendingIntegral: curve.integral,
    oldestPendingNs: curve.oldestNs,
    pending,
    tablesPeak: sum((m) => m.tablesPeak),
    tableBytesPeak: tallies.reduce((total, tally) => total + tally.tablesPeak * 2 ** tally.pageShift, 0),
  };
}

/** How long actors waited for the lock, both modes together. */
function waitHistogram(metrics: EventMetrics): ComparedRun['waits'] {
  return Array.from({ length: LOCK_WAIT_BUCKET_COUNT }, (_, bucket) => {
    let count = 0;
    for (const { counts } of metrics.machines())
      for (const mode of Object.values(LOCK_MODE)) count += counts[AT.wait + mode * LOCK_WAIT_BUCKET_COUNT + bucket]!;
    return { below: LOCK_WAIT_BUCKETS[bucket] ?? null, count };
  });
}
