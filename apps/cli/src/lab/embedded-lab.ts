import type { Frame } from '@s2lab/events';
import type { LabSource, ViolationNote } from '@s2lab/explorer';
import type { LoadedScenario, PumpOutcome } from '@s2lab/fleet';
import { MeteredSink, MetricsSink, assembleFleet, pump } from '@s2lab/fleet';
import type { Verdict } from '@s2lab/invariants';
import { EventMetrics, LabMetrics } from '@s2lab/metrics';
import type { News } from '@s2lab/verifier';
import { VerifyingSink } from '@s2lab/verifier';
import type { LogRecorder } from './log-recorder.ts';

/** How the embedded lab runs. */
export interface EmbeddedLabOptions {
  readonly seed: number;
  readonly policy?: string | undefined;
  readonly speed: number;
  readonly durationNs?: number | undefined;
  /** Hears of each violation that is kept with its proof, once, when it is found. */
  readonly onViolation: (note: ViolationNote) => void;
}

/** Wall milliseconds over which the speed that is reached is measured. */
const SPEED_WINDOW_MS = 2_000;

/** Fleet, log and verifier in one process: what `npm start` runs. */
export class EmbeddedLab implements LabSource {
  readonly events = new EventMetrics();
  readonly metrics: LabMetrics;
  readonly about: LabSource['about'];
  private readonly fleet: ReturnType<typeof assembleFleet>;
  private readonly verifier: VerifyingSink;
  private readonly options: EmbeddedLabOptions;
  private readonly notes: ViolationNote[] = [];
  private readonly perMachine = new Map<number, number>();
  private recorder: LogRecorder | undefined;
  private outcome: PumpOutcome | undefined;
  private reached = { ratio: 0, atMs: 0, virtualNs: 0 };

  /** @throws ScenarioError when the scenario cannot be run */
  constructor(loaded: LoadedScenario, options: EmbeddedLabOptions) {
    this.options = options;
    this.fleet = assembleFleet(loaded.scenario, { seed: options.seed, policy: options.policy, recordings: loaded.recordings });
    this.about = { run: this.fleet.run, scenario: loaded.scenario.name, seed: options.seed, speed: options.speed };
    this.metrics = new LabMetrics(this.events, ['verifier', 'pipeline']);
    this.metrics.gauge('s2lab_speed_ratio').set({ kind: 'asked' }, options.speed);
    this.verifier = new VerifyingSink((news, frame) => this.note(news, frame));
  }

  /** Runs until the end of all workloads, the duration, or the signal. The recorder is closed at the end. */
  async run(recorder: LogRecorder | undefined, signal: AbortSignal): Promise<PumpOutcome> {
    this.recorder = recorder;
    const log = recorder === undefined ? [] : [new MeteredSink(recorder, 'file', this.metrics, () => recorder.byteCount)];
    const count = { write: async (frame: Frame) => this.count(frame), close: async () => {} };
    try {
      this.outcome = await pump(this.fleet.producer, [...log, new MetricsSink(this.events), this.verifier, count], {
        speed: this.options.speed,
        untilNs: this.options.durationNs,
        signal,
      });
      return this.outcome;
    } finally {
      await recorder?.close();
    }
  }

  verdict(): Verdict {
    return this.verifier.verdict();
  }

  machines(): ReturnType<EventMetrics['machines']> {
    return this.events.machines();
  }

  verified(): number {
    return this.verifier.events;
  }

  violations(): number {
    return this.verifier.violations;
  }

  violationsOf(machine: number): number {
    return this.perMachine.get(machine) ?? 0;
  }

  violationNotes(): readonly ViolationNote[] {
    return this.notes;
  }

  recording(): ReturnType<LabSource['recording']> {
    return this.recorder?.state() ?? { state: 'off', path: '', bytes: 0, because: '' };
  }

  speed(): number {
    return this.reached.ratio;
  }

  ended(): boolean {
    return this.outcome !== undefined;
  }

  private note({ kept, counts }: News, frame: Frame): void {
    const { machine, policy } = frame.origin;
    for (const [invariant, count] of counts) {
      this.metrics.counter('s2lab_violations_total').inc({ invariant, policy }, count);
      this.perMachine.set(machine, (this.perMachine.get(machine) ?? 0) + count);
    }
    for (const { invariant, seq, because } of kept) {
      const note = { machine, policy, invariant, seq, because };
      this.notes.push(note);
      this.options.onViolation(note);
    }
  }

  private count(frame: Frame): void {
    this.metrics.counter('s2lab_verifier_events_total').inc(frame.rows.length);
    this.metrics.counter('s2lab_verifier_frames_total').inc();
    const now = performance.now();
    if (now - this.reached.atMs < SPEED_WINDOW_MS) return;
    let virtualNs = 0;
    for (const tally of this.events.machines()) virtualNs = Math.max(virtualNs, tally.virtualNs);
    const ratio = this.reached.atMs === 0 ? 0 : (virtualNs - this.reached.virtualNs) / 1e6 / (now - this.reached.atMs);
    this.reached = { ratio, atMs: now, virtualNs };
    this.metrics.gauge('s2lab_speed_ratio').set({ kind: 'reached' }, ratio);
  }
}
