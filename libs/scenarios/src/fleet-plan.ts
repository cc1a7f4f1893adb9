import type { MachineConfig, Workload } from '@s2lab/engine';
import { DEFAULT_COSTS, machineConfig, Prng } from '@s2lab/engine';
import { AgeingWorkload } from './ageing-workload.ts';
import { BalloonWorkload } from './balloon-workload.ts';
import { BootWorkload } from './boot-workload.ts';
import { ChurnWorkload } from './churn-workload.ts';
import { DestroyWorkload } from './destroy-workload.ts';
import { InjectedFaults } from './injected-faults.ts';
import { MigrationWorkload } from './migration-workload.ts';
import { ScenarioError } from './parse-scenario.ts';
import type { Recording } from './recording.ts';
import { RecordedWorkload } from './recording.ts';
import type { MachineSpec, Scenario } from './scenario-schema.ts';
import { ProtectedGuests, pkvmConfig } from './protected-guests.ts';
import { SteadyWorkload } from './steady-workload.ts';

/** Recordings that `recorded` workloads name, by their `file`. */
export type Recordings = ReadonlyMap<string, Recording>;

/** One machine of a scenario, `count` and stagger applied. */
export interface PlannedMachine {
  readonly index: number;
  readonly spec: MachineSpec;
  /** Virtual time at which its VMM begins, ns. */
  readonly startNs: number;
}

const NO_RECORDINGS: Recordings = new Map();

/** All machines of a scenario, in order; a machine's number in a run is its place here. */
export function plannedMachines(scenario: Scenario): PlannedMachine[] {
  const planned: PlannedMachine[] = [];
  for (const spec of scenario.machines) {
    for (let k = 0; k < spec.count; k += 1) planned.push({ index: planned.length, spec, startNs: spec.startAfterNs + k * spec.staggerNs });
  }
  return planned;
}

/**
 * Configuration of machine `index`: what the scenario says, what its recording says above that, defaults below.
 * @param seed seed of the run; each machine gets its own from it
 * @throws ScenarioError when the machine cannot be, or its recording is not among `recordings`
 */
export function machineConfigFor(scenario: Scenario, index: number, seed: number, recordings: Recordings = NO_RECORDINGS): MachineConfig {
  const { spec } = machineAt(scenario, index);
  const { cacheCapacity, tlbEntries, walkCacheEntries } = spec;
  const overrides: Partial<MachineConfig> = {
    kind: spec.kind,
    pkvm: pkvmConfig(spec),
    vcpus: spec.vcpus,
    pageShift: spec.pageShift,
    ipaBits: spec.ipaBits,
    lpa2: spec.ipaBits > 48 && spec.pageShift !== 16,
    eagerSplitBytes: spec.eagerSplitBytes,
    initiallyAllSet: spec.initiallyAllSet,
    collapse: spec.collapse,
    recoveryTurnBytes: spec.recoveryTurnBytes,
    teardown: spec.teardown,
    ...present({ ...spec.features, cacheCapacity, tlbEntries, walkCacheEntries }),
    ...recordingOf(scenario, spec, recordings)?.machine,
    seed: machineSeed(seed, index),
    costs: { ...DEFAULT_COSTS, ...present(scenario.costs) },
  };
  try {
    return machineConfig(overrides);
  } catch (cause) {
    throw new ScenarioError(scenario.name, [`machine ${index}: ${(cause as Error).message}`]);
  }
}

/**
 * The workload of machine `index`, new and at its beginning, with the scenario's faults.
 * @throws ScenarioError when there is no such machine, or its recording is not among `recordings`
 */
export function workloadFor(scenario: Scenario, index: number, seed: number, recordings: Recordings = NO_RECORDINGS): Workload {
  const { spec, startNs } = machineAt(scenario, index);
  const own = machineSeed(seed, index);
  const recording = recordingOf(scenario, spec, recordings);
  const vcpus = recording?.machine.vcpus ?? spec.vcpus;
  let workload = recording === undefined ? generated(spec, startNs, own) : new RecordedWorkload(recording);
  for (const [i, fault] of scenario.faults.entries()) workload = new InjectedFaults(workload, fault, vcpus, (own + i + 1) >>> 0);
  return workload;
}

/** A scenario of one machine that plays the recording called `file`. @throws ScenarioError */
export function scenarioOfRecording(recording: Recording, policy: string): Scenario {
  const machine: MachineSpec = {
    count: 1,
    kind: 'kvm',
    policy,
    coalesce: 'none',
    vcpus: recording.machine.vcpus,
    memoryBytes: 0,
    memslots: 1,
    pageShift: 12,
    ipaBits: 40,
    features: {},
    thp: 1,
    eagerSplitBytes: 0,
    initiallyAllSet: false,
    collapse: 'lazy',
    recoveryTurnBytes: 0,
    teardown: 'after',
    startAfterNs: 0,
    staggerNs: 0,
    workload: { type: 'recorded', params: { file: recording.name } },
  };
  return { name: 'recorded', description: `Recorded workload ${recording.name}`, machines: [machine], faults: [], costs: {} };
}

function generated(spec: MachineSpec, startNs: number, seed: number): Workload {
  const { workload } = spec;
  switch (workload.type) {
    case 'boot':
      return new BootWorkload(spec, workload.params, startNs, seed);
    case 'steady':
      return new SteadyWorkload(spec, workload.params, startNs, seed);
    case 'balloon':
      return new BalloonWorkload(spec, workload.params, startNs, seed);
    case 'ageing':
      return new AgeingWorkload(spec, workload.params, startNs, seed);
    case 'churn':
      return new ChurnWorkload(spec, workload.params, startNs, seed);
    case 'destroy':
      return new DestroyWorkload(spec, workload.params, startNs, seed);
    case 'migration':
      return new MigrationWorkload(spec, workload.params, startNs, seed);
    case 'protected-guests':
      return new ProtectedGuests(spec, workload.params, startNs, seed);
    case 'recorded':
      throw new Error('a recorded workload has no generator');
  }
}

function recordingOf(scenario: Scenario, spec: MachineSpec, recordings: Recordings): Recording | undefined {
  if (spec.workload.type !== 'recorded') return undefined;
  const { file } = spec.workload.params;
  const recording = recordings.get(file);
  if (recording === undefined) throw new ScenarioError(scenario.name, [`recording '${file}' was not read`]);
  return recording;
}

function machineAt(scenario: Scenario, index: number): PlannedMachine {
  const planned = plannedMachines(scenario)[index];
  if (planned === undefined) throw new ScenarioError(scenario.name, [`machine ${index}: there is no such machine`]);
  return planned;
}

/** Seeds of neighbouring machines and runs share nothing. */
function machineSeed(seed: number, index: number): number {
  return new Prng((seed ^ Math.imul(index + 1, 0xc2b2_ae35)) >>> 0).next();
}

/** `fields` without those that are undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
