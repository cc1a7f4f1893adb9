import type { MachineTally } from '@s2lab/metrics';
import { AT } from '@s2lab/metrics';
import { FAULT, K, LOCK_MODE, TLBI } from '@s2lab/events';
import type { LabAbout, LabSample, MachineSample, RecordingState, ViolationNote } from './sample.ts';

/** Milliseconds between two samples. */
export const SAMPLE_PERIOD_MS = 250;

/** Samples kept for a page that is opened or reloaded later: three minutes. */
const HISTORY = 720;

/** Violations listed on the page, the newest. */
const LATEST = 20;

/** What the page shows, as the running lab knows it. */
export interface LabSource {
  readonly about: Omit<LabAbout, 'periodMs'>;
  machines(): Iterable<MachineTally>;
  /** Events verified so far. */
  verified(): number;
  /** Violations found so far. */
  violations(): number;
  /** Violations found so far on one machine. */
  violationsOf(machine: number): number;
  /** The violations that were kept with their proofs, in order. */
  violationNotes(): readonly ViolationNote[];
  recording(): RecordingState;
  /** Virtual seconds per wall second reached lately. */
  speed(): number;
  ended(): boolean;
}

/** Takes samples of the lab at a steady pace and hands them to whoever listens. */
export class LiveFeed {
  readonly about: LabAbout;
  private readonly source: LabSource;
  private readonly kept: LabSample[] = [];
  private readonly listeners = new Set<(sample: LabSample) => void>();
  private readonly timer: NodeJS.Timeout;

  constructor(source: LabSource) {
    this.source = source;
    this.about = { ...source.about, periodMs: SAMPLE_PERIOD_MS };
    this.timer = setInterval(() => this.sample(), SAMPLE_PERIOD_MS);
    this.timer.unref();
  }

  /** The samples kept, oldest first. */
  history(): readonly LabSample[] {
    return this.kept;
  }

  /** Calls `listener` with every sample from now on. @returns how to stop that */
  listen(listener: (sample: LabSample) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes a sample now. */
  sample(): void {
    const sample = takeSample(this.source, Date.now());
    this.kept.push(sample);
    if (this.kept.length > HISTORY) this.kept.shift();
    for (const listener of this.listeners) listener(sample);
  }

  /** Ends the pace; listeners get nothing more. */
  close(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }
}

/** The lab at this moment. */
function takeSample(source: LabSource, t: number): LabSample {
  return {
    t,
    machines: Array.from(source.machines(), (tally) => machineSample(tally, source.violationsOf(tally.origin.machine))),
    verified: source.verified(),
    violations: source.violations(),
    latest: source.violationNotes().slice(-LATEST),
    recording: source.recording(),
    speed: source.speed(),
    ended: source.ended(),
  };
}

/** The numbers of a machine in the order of SAMPLE_FIELDS. */
function machineSample(tally: MachineTally, violations: number): MachineSample {
  const { origin, counts: c } = tally;
  return {
    id: origin.machine,
    policy: origin.policy,
    kind: origin.machineKind,
    n: [
      c[AT.rows]!,
      tally.virtualNs,
      c[AT.collapses]!,
      c[AT.splits]!,
      c[K.reclaimEnded]!,
      tally.faultsOf(FAULT.translation),
      tally.faultsOf(FAULT.permission),
      tally.faultsOf(FAULT.accessFlag),
      sum(c, AT.tlbi, Object.values(TLBI)),
      c[AT.tlbHits]!,
      c[AT.tlbMisses]!,
      c[AT.retries]!,
      sum(c, AT.contended, Object.values(LOCK_MODE)),
      violations,
      tally.pendingFrees,
      tally.oldestPendingNs,
      tally.tables,
      tally.tableBytes,
      tally.phase,
      tally.pass,
      tally.running ? 1 : 0,
    ],
  };
}

function sum(counts: Float64Array, first: number, codes: readonly number[]): number {
  return codes.reduce((total, code) => total + counts[first + code]!, 0);
}
