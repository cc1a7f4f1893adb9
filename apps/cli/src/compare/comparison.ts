import { assembleFleet, MetricsSink, pump } from '@s2lab/fleet';
import type { EventSink } from '@s2lab/events';
import { AT, EventMetrics, LOCK_WAIT_BUCKET_COUNT, LOCK_WAIT_BUCKETS } from '@s2lab/metrics';
import { LOCK_MODE } from '@s2lab/events';
import type { Recordings, Scenario } from '@s2lab/scenarios';
import { VerifyingSink } from '@s2lab/verifier';
import { summarise } from '../summary.ts';
import { PendingCurve } from './pending-curve.ts';

/** Figures of one policy at one number of vCPUs, all machines of the scenario added up: a row of the table. */
export interface ComparedRun {
  readonly policy: string;
  readonly vcpus: number;
  readonly verdict: string;
  readonly events: number;
  /** Virtual time of the last machine’s end. */
  readonly virtualNs: number;
  readonly faults: number;
  readonly collapses: number;
  /** Collapses per virtual second. */
  readonly collapseRate: number;
  readonly splits: number;
  readonly tlbInvalidations: number;
  readonly barriers: number;
  readonly walkRetries: number;
  readonly lockWaits: number;
  readonly lockWaitNs: number;
  /** Waits by upper bound in seconds; the last one has no bound. */
  readonly waits: readonly { readonly below: number | null; readonly count: number }[];
  readonly pendingPeak: number;
  /** Sub-trees × virtual nanoseconds. */
  readonly pendingIntegral: number;
  readonly oldestPendingNs: number;
  readonly pending: { readonly at: readonly number[]; readonly pending: readonly number[] };
  readonly tablesPeak: number;
}

/** Counts table pages that live, for their peak. */
class TablesPeak implements EventSink {
  peak = 0;
  private readonly metrics: EventMetrics;

  constructor(metrics: EventMetrics) {
    this.metrics = metrics;
  }

  async write(): Promise<void> {
    let tables = 0;
    for (const machine of this.metrics.machines()) tables += machine.tables;
    this.peak = Math.max(this.peak, tables);
  }

  async close(): Promise<void> {}
}

/** Runs `scenario` under `policy` with every machine at `vcpus` vCPUs, and takes its figures. */
export async function compareRun(
  scenario: Scenario,
  recordings: Recordings,
  run: {
    readonly policy: string;
    readonly vcpus: number;
    readonly seed: number;
    readonly untilNs: number | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ComparedRun> {
  const machines = scenario.machines.map((machine) => ({ ...machine, vcpus: run.vcpus }));
  const fleet = assembleFleet({ ...scenario, machines }, { seed: run.seed, policy: run.policy, recordings });
  const metrics = new EventMetrics();
  const verifier = new VerifyingSink();
  const curve = new PendingCurve();
  const tables = new TablesPeak(metrics);
  const outcome = await pump(fleet.producer, [new MetricsSink(metrics), tables, curve, verifier], {
    speed: 0,
    untilNs: run.untilNs ?? scenario.durationNs,
    signal: run.signal,
  });
  const all = Array.from(metrics.machines(), summarise);
  const sum = (of: (machine: (typeof all)[number]) => number): number => all.reduce((total, machine) => total + of(machine), 0);
  const pending = curve.points();
  return {
    policy: run.policy,
    vcpus: run.vcpus,
    verdict: verifier.verdict().verdict,
    events: outcome.events,
    virtualNs: outcome.virtualNs,
    faults: sum((m) => m.faults),
    collapses: sum((m) => m.collapses),
    collapseRate: sum((m) => m.collapses) / (outcome.virtualNs / 1e9),
    splits: sum((m) => m.splits),
    tlbInvalidations: sum((m) => m.tlbInvalidations),
    barriers: sum((m) => m.barriers),
    walkRetries: sum((m) => m.walkRetries),
    lockWaits: sum((m) => m.lockWaits),
    lockWaitNs: sum((m) => m.lockWaitNs),
    waits: waitHistogram(metrics),
    pendingPeak: curve.peak,
    pendingIntegral: curve.integral,
    oldestPendingNs: curve.oldestNs,
    pending,
    tablesPeak: tables.peak,
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
