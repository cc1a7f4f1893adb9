import type { EventSink, Frame } from '@s2lab/events';
import type { LabSource, ViolationNote } from '@s2lab/explorer';
import type { ApiLab, KeptRun, LabOutput, LoadedScenario, PumpOutcome } from '@s2lab/fleet';
import { MeteredSink, MetricsSink, RunKeeper, SpeedGauge } from '@s2lab/fleet';
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

/** What the embedded lab tells while it runs. */
export interface EmbeddedLabHooks {
  /** A run begins: the log of its own that it is recorded into, or undefined for none. */
  openLog(run: KeptRun): Promise<LogRecorder | undefined>;
  /** A run came to its end or was ended; its log is closed. */
  ended(run: KeptRun, outcome: PumpOutcome): void;
}

/** Fleet, logs and verifier in one process: what `npm start` runs. */
export class EmbeddedLab implements LabSource, ApiLab {
  readonly events = new EventMetrics();
  readonly metrics: LabMetrics;
  readonly runs: RunKeeper;
  private readonly verifier: VerifyingSink;
  private readonly options: EmbeddedLabOptions;
  private readonly notes: ViolationNote[] = [];
  private readonly perMachine = new Map<string, number>();
  private readonly gauge: SpeedGauge;
  private recorder: LogRecorder | undefined;
  private runEnded = false;

  /** @throws ScenarioError when the scenario cannot be run */
  constructor(loaded: LoadedScenario, options: EmbeddedLabOptions) {
    this.options = options;
    this.runs = new RunKeeper({
      loaded,
      policy: options.policy ?? null,
      seed: options.seed,
      speed: options.speed,
      durationNs: options.durationNs,
      repeat: false,
      // A control may ask for what ran before: the number keeps the two apart.
      nameRun: (derived, _scenario, _seed, number) => (number === 1 ? derived : `${derived}-${number}`),
    });
    this.metrics = new LabMetrics(this.events, ['verifier', 'pipeline']);
    this.metrics.registry.removeSingleMetric('s2lab_pipeline_broker_reachable'); // there is no broker that could be out of reach
    this.gauge = new SpeedGauge(this.metrics, this.runs.pace);
    this.verifier = new VerifyingSink((news, frame) => this.note(news, frame));
  }

  /** Runs until the signal: the run asked for first, and another one whenever a control wants it. */
  async run(hooks: EmbeddedLabHooks, signal: AbortSignal): Promise<void> {
    const count: EventSink = { write: async (frame) => this.count(frame), close: async () => {} };
    const sinks = [new MetricsSink(this.events), this.verifier, this.gauge, count];
    try {
      await this.runs.keep(
        {
          begin: async (run) => {
            const recorder = await hooks.openLog(run);
            this.recorder = recorder;
            this.runEnded = false;
            return recorder === undefined ? sinks : [meteredLog(recorder, this.metrics), ...sinks];
          },
          ended: async (run, outcome) => {
            await this.recorder?.close();
            this.runEnded = true;
            hooks.ended(run, outcome);
          },
        },
        signal,
      );
    } finally {
      await this.recorder?.close();
    }
  }

  verdict(): Verdict {
    return this.verifier.verdict();
  }

  about(): ReturnType<LabSource['about']> {
    const { fleet, scenario, seed } = this.runs.run;
    const { speed, paused } = this.runs.state;
    return { run: fleet.run, scenario: scenario.name, seed, speed, paused };
  }

  output(): LabOutput {
    const { state, path, because } = this.recording();
    return { to: state === 'off' ? 'nowhere' : 'file', where: path, waitingFor: because === '' ? null : because };
  }

  /** The machines of the present run. */
  machines(): Iterable<ReturnType<EventMetrics['machines']> extends Iterable<infer T> ? T : never> {
    const { run } = this.runs.run.fleet;
    return Array.from(this.events.machines()).filter(({ origin }) => origin.run === run);
  }

  verified(): number {
    return this.verifier.events;
  }

  violations(): number {
    return this.verifier.violations;
  }

  violationsOf(machine: number): number {
    return this.perMachine.get(`${this.runs.run.fleet.run}/${machine}`) ?? 0;
  }

  violationNotes(): readonly ViolationNote[] {
    return this.notes;
  }

  recording(): ReturnType<LabSource['recording']> {
    return this.recorder?.state() ?? { state: 'off', path: '', bytes: 0, because: '' };
  }

  speed(): number {
    return this.gauge.reached;
  }

  ended(): boolean {
    return this.runEnded;
  }

  private note({ kept, counts }: News, frame: Frame): void {
    const { run, machine, policy } = frame.origin;
    const key = `${run}/${machine}`;
    for (const [invariant, count] of counts) {
      this.metrics.counter('s2lab_violations_total').inc({ invariant, policy }, count);
      this.perMachine.set(key, (this.perMachine.get(key) ?? 0) + count);
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
  }
}

/** A log whose frames are counted as long as it is being written. */
function meteredLog(recorder: LogRecorder, metrics: LabMetrics): MeteredSink {
  const isRecording = (): boolean => recorder.state().state === 'recording';
  return new MeteredSink(recorder, 'file', metrics, () => recorder.byteCount, isRecording);
}
