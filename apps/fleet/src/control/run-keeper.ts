import type { EventSink } from '@s2lab/events';
import type { FaultSpec, Scenario } from '@s2lab/scenarios';
import { builtinScenarios } from '@s2lab/scenarios';
import type { Fleet } from '../assemble.ts';
import { assembleFleet } from '../assemble.ts';
import type { PumpOutcome } from '../pump.ts';
import { pump } from '../pump.ts';
import type { LoadedScenario } from '../scenario-source.ts';
import { Stage2Watch } from '../stage2-watch.ts';
import { Pace } from './pace.ts';

/** Controls that are remembered. */
const REMEMBERED = 100;

/** How long whoever asked for another run is kept waiting for it: a sink that stands keeps the old run from ending. */
const PATIENCE_MS = 2_000;

/** What a user may change while a lab runs. */
export interface ControlState {
  readonly scenario: string;
  /** Policy of all machines; null = each machine’s own, as the scenario says. */
  readonly policy: string | null;
  readonly seed: number;
  /** Faults injected into every machine; null = those of the scenario. */
  readonly faults: readonly FaultSpec[] | null;
  /** Virtual seconds per wall second; 0 = as fast as it goes. */
  readonly speed: number;
  readonly paused: boolean;
}

/** What of it a control changes; what is absent stays. */
export type ControlChange = { readonly [K in keyof ControlState]?: ControlState[K] | undefined };

/** A control that was asked for, and where it struck. */
export interface ControlRecord {
  /** Wall time, ISO 8601. */
  readonly at: string;
  readonly change: ControlChange;
  /** The run that was going on, and its virtual time. */
  readonly run: string;
  readonly virtualNs: number;
  /** The run that began because of it; null when the run went on. */
  readonly began: string | null;
}

/** One run: machines from their first event to their last, under one run id. */
export interface KeptRun {
  readonly fleet: Fleet;
  /** As it is run: with the faults that were asked for. */
  readonly scenario: Scenario;
  readonly seed: number;
  readonly policy: string | null;
  /** 1 for the first run of the process. */
  readonly number: number;
  /** The control that it began with; null for a run that nobody asked for. */
  readonly because: ControlRecord | null;
}

/** How runs are kept. */
export interface RunKeeperOptions extends Pick<ControlState, 'policy' | 'seed' | 'speed'> {
  readonly loaded: LoadedScenario;
  /** Number of the first machine. */
  readonly machineBase?: number | undefined;
  /** Virtual time at which each run stops, instead of the scenario’s. */
  readonly durationNs?: number | undefined;
  /** Whether a run that came to its end is followed by one with the next seed; otherwise the keeper waits for a control. */
  readonly repeat: boolean;
  /** Name of a run: never one that was used before. `derived` follows from scenario, seed and policy. */
  nameRun(derived: string, scenario: string, seed: number, number: number): string;
}

/** What a run’s events go to, and who hears of its end. */
export interface RunHooks {
  /** A run begins: its sinks. They stay open; closing them is for `ended`. */
  begin(run: KeptRun): Promise<readonly EventSink[]>;
  ended(run: KeptRun, outcome: PumpOutcome): Promise<void>;
}

const NOTHING: PumpOutcome = { frames: 0, events: 0, virtualNs: 0, interrupted: true };

/** A control that cannot be obeyed; nothing was changed. The message is one line. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

/**
 * Keeps a fleet running as its user wants it. Pace and pause strike the run that goes on: they change no event. Everything that would
 * change events ends the run and begins another, under its own id, from its own first event: so each run follows from scenario, seed,
 * policy and faults alone, and no machine of a run ever has two writers.
 */
export class RunKeeper {
  readonly pace: Pace;
  private readonly options: RunKeeperOptions;
  private readonly scenarios: ReadonlyMap<string, LoadedScenario>;
  private wanted: Omit<ControlState, 'speed' | 'paused'>;
  private next: KeptRun;
  private present: KeptRun | undefined;
  private watching: Stage2Watch;
  private running = false;
  private restart = new AbortController();
  private begun: (() => void) | undefined;
  private runs = 0;
  private endedNs = 0;
  private readonly records: ControlRecord[] = [];

  /** @throws ScenarioError when the first run cannot be */
  constructor(options: RunKeeperOptions) {
    this.options = options;
    const { loaded, policy, seed } = options;
    this.pace = new Pace(options.speed);
    const builtin = Array.from(builtinScenarios, ([name, scenario]) => [name, { scenario, recordings: new Map() }] as const);
    this.scenarios = new Map<string, LoadedScenario>([...builtin, [loaded.scenario.name, loaded]]);
    this.wanted = { scenario: loaded.scenario.name, policy, seed, faults: null };
    this.next = this.plan(this.wanted, null);
    this.watching = new Stage2Watch(this.next.fleet);
  }

  /** What is asked for now. */
  get state(): ControlState {
    return { ...this.wanted, speed: this.pace.speed, paused: this.pace.paused };
  }

  /** The run that goes on, or the last one; before the first, the one that is to begin. */
  get run(): KeptRun {
    return this.present ?? this.next;
  }

  /** The stage-2 of each machine of `run`. */
  get watch(): Stage2Watch {
    return this.watching;
  }

  /** Whether the machines of `run` still run, be it at a standstill. */
  get isRunning(): boolean {
    return this.running;
  }

  /** Runs begun so far. */
  get runCount(): number {
    return this.runs;
  }

  /** Scenarios that may be chosen: the built-in ones and the one the lab was started with. */
  get choices(): readonly Scenario[] {
    return Array.from(this.scenarios.values(), ({ scenario }) => scenario);
  }

  /** The latest controls, oldest first. */
  get history(): readonly ControlRecord[] {
    return this.records;
  }

  /**
   * Makes a change. When it needs another run, resolves when that has begun, or after two seconds when the old one cannot end because a
   * sink stands: it begins then when the sink goes on.
   * @throws ControlError, ScenarioError when it cannot be; nothing is changed then
   */
  async change(change: ControlChange): Promise<ControlRecord> {
    const { speed = this.pace.speed, paused = this.pace.paused, ...structure } = change;
    const asked = Object.fromEntries(Object.entries(structure).filter(([, value]) => value !== undefined));
    const anew = Object.keys(asked).length > 0;
    if (anew && this.begun !== undefined) throw new ControlError('another run is about to begin; try again when it has');
    // A policy or a fault that was chosen for one workload stays for the next: so designs are compared.
    const wanted = { ...this.wanted, ...asked };
    const record = { at: new Date().toISOString(), change, run: this.run.fleet.run, virtualNs: this.virtualNs() };
    const next = anew ? this.plan(wanted, record) : undefined;
    const made: ControlRecord = { ...record, began: next?.fleet.run ?? null };
    this.remember(made);
    if (next !== undefined) {
      this.wanted = wanted;
      this.next = next;
    }
    this.pace.set(speed, paused);
    if (next !== undefined) await this.begin();
    return made;
  }

  /** Runs one run after the other until the signal. @throws what a sink rejects with, or a hook */
  async keep(hooks: RunHooks, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const run = this.next;
      this.restart = new AbortController();
      this.present = run;
      this.watching = new Stage2Watch(run.fleet);
      const sinks = await hooks.begin(run);
      if (this.next !== run) {
        await hooks.ended(run, NOTHING); // a control came before its first event
        continue;
      }
      this.running = true;
      this.runs += 1;
      this.begun?.();
      const outcome = await pump(run.fleet.producer, [...sinks, this.watching], {
        speed: this.pace,
        untilNs: this.options.durationNs ?? run.scenario.durationNs,
        signal: AbortSignal.any([signal, this.restart.signal]),
      });
      this.running = false;
      this.endedNs = outcome.virtualNs;
      await hooks.ended(run, outcome);
      if (this.next !== run || signal.aborted) continue;
      if (this.options.repeat) this.repeat();
      else await raised(AbortSignal.any([signal, this.restart.signal]));
    }
  }

  /** Ends the present run and waits a while for the next. */
  private async begin(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.begun = () => {
        this.begun = undefined;
        resolve();
      };
      timer = setTimeout(resolve, PATIENCE_MS);
      this.restart.abort();
    });
    clearTimeout(timer);
  }

  private repeat(): void {
    const seed = (this.wanted.seed + 1) >>> 0;
    this.wanted = { ...this.wanted, seed };
    this.next = this.plan(this.wanted, null);
  }

  /** A run as wanted, ready to begin. @throws ControlError, ScenarioError */
  private plan(wanted: Omit<ControlState, 'speed' | 'paused'>, because: Omit<ControlRecord, 'began'> | null): KeptRun {
    const loaded = this.scenarios.get(wanted.scenario);
    if (loaded === undefined)
      throw new ControlError(`scenario '${wanted.scenario}' does not exist; there are ${[...this.scenarios.keys()].join(', ')}`);
    const { scenario, recordings } = loaded;
    const number = (this.present?.number ?? 0) + 1;
    const faulty = wanted.faults === null ? scenario : { ...scenario, faults: [...wanted.faults] };
    const options = { seed: wanted.seed, policy: wanted.policy ?? undefined, recordings, machineBase: this.options.machineBase };
    const fleet = assembleFleet(faulty, {
      ...options,
      runId: (derived) => this.options.nameRun(derived, scenario.name, wanted.seed, number),
    });
    const record = because === null ? null : { ...because, began: fleet.run };
    return { fleet, scenario: faulty, seed: wanted.seed, policy: wanted.policy, number, because: record };
  }

  private virtualNs(): number {
    const { nowNs } = this.run.fleet.producer;
    return Number.isFinite(nowNs) ? nowNs : this.endedNs;
  }

  private remember(record: ControlRecord): void {
    this.records.push(record);
    if (this.records.length > REMEMBERED) this.records.shift();
  }
}

async function raised(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
