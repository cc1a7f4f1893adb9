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
  /** The run and its pace, which controls may change. */
  about(): Omit<LabAbout, 'periodMs'>;
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

/** What a listener of the feed hears. */
export interface LiveListener {
  /** Another run, or another pace. */
  about(about: LabAbout): void;
  sample(sample: LabSample): void;
}

/** Takes samples of the lab at a steady pace and hands them to whoever listens. */
export class LiveFeed {
  private present: LabAbout;
  private readonly source: LabSource;
  private readonly kept: LabSample[] = [];
  private readonly listeners = new Set<LiveListener>();
  private readonly timer: NodeJS.Timeout;

  constructor(source: LabSource) {
    this.source = source;
    this.present = this.ask();
    this.timer = setInterval(() => this.sample(), SAMPLE_PERIOD_MS);
    this.timer.unref();
  }

  /** The run and its pace. */
  get about(): LabAbout {
    return this.present;
  }

  /** The samples kept of this run, oldest first. */
  history(): readonly LabSample[] {
    return this.kept;
  }

  /** Tells `listener` of everything from now on. @returns how to stop that */
  listen(listener: LiveListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes a sample now. */
  sample(): void {
    this.lookAround();
    const sample = takeSample(this.source, Date.now());
    this.kept.push(sample);
    if (this.kept.length > HISTORY) this.kept.shift();
    for (const listener of this.listeners) listener.sample(sample);
  }

  /** Ends the pace; listeners get nothing more. */
  close(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }

  private ask(): LabAbout {
    return { ...this.source.about(), periodMs: SAMPLE_PERIOD_MS };
  }

  /** Tells when a control has changed run or pace; samples of another run are forgotten. */
  private lookAround(): void {
    const now = this.ask();
    const before = this.present;
    if (now.run === before.run && now.speed === before.speed && now.paused === before.paused) return;
    this.present = now;
    if (now.run !== before.run) this.kept.length = 0;
    for (const listener of this.listeners) listener.about(now);
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
