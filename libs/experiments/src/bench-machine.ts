import type { Command, MachineConfig, ReclaimPolicy, Workload } from '@s2lab/engine';
import { COMMAND, Machine, machineConfig } from '@s2lab/engine';
import { EventColumns } from '@s2lab/events';
import { MachineRun } from '@s2lab/scheduler';
import type { PhaseFigures } from './phase-tally.ts';
import { PhaseTally } from './phase-tally.ts';

/** Virtual ns between two looks of an actor at whether the next phase has begun; each phase begins that long after the one before. */
const POLL_NS = 100_000;
/** Rows of the columns that events pass through, to be counted. */
const ROWS = 8192;

/** Fields of a command; those left out are 0. */
export type CommandFields = Partial<Command>;

/**
 * One phase of a benchmark: all actors begin it at the same virtual time, and it ends when the last one is through.
 * An actor with nothing to do waits.
 */
export interface Phase {
  readonly name: string;
  /** Fills in the `n`th command of `vcpu`; false when it has no more. */
  readonly vcpus?: (vcpu: number, n: number, command: Command) => boolean;
  /** What the VMM thread does, one after the other. */
  readonly vmm?: readonly CommandFields[];
}

/**
 * Runs a machine through phases and measures each, as a benchmark program measures a real one.
 * @param config overrides of the default machine
 * @param hostPolicy of the host's stage-2, under pKVM
 * @returns figures by phase name
 */
export function measurePhases(
  config: Partial<MachineConfig>,
  policy: ReclaimPolicy,
  phases: readonly Phase[],
  hostPolicy = policy,
): ReadonlyMap<string, PhaseFigures> {
  const whole = machineConfig(config);
  const columns = new EventColumns(ROWS);
  const workload = new PhasedWorkload(phases, whole.vcpus, columns);
  const run = new MachineRun(new Machine(whole, policy, workload, columns, hostPolicy));
  while (!run.stopped) {
    run.runUntil(Infinity);
    workload.takeCounts();
    columns.clear();
    workload.counted = 0;
  }
  return workload.figures;
}

/** Lets the actors of a machine go through phases together, and keeps the figures. */
class PhasedWorkload implements Workload {
  readonly figures = new Map<string, PhaseFigures>();
  /** Rows of the columns that are counted already. */
  counted = 0;
  private readonly phases: readonly Phase[];
  private readonly vcpus: number;
  private readonly columns: EventColumns;
  private readonly tally = new PhaseTally();
  private phase = 0;
  private beginNs = POLL_NS;
  private endNs = 0;
  /** Commands of the present phase that each actor was given; -1 once it is through. */
  private readonly given: Int32Array;
  private readonly givenAtNs: Float64Array;
  private through = 0;

  constructor(phases: readonly Phase[], vcpus: number, columns: EventColumns) {
    this.phases = phases;
    this.vcpus = vcpus;
    this.columns = columns;
    this.given = new Int32Array(vcpus + 1);
    this.givenAtNs = new Float64Array(vcpus + 1);
  }

  next(actor: number, nowNs: number, _lastResult: number, command: Command): void {
    const phase = this.phases[this.phase];
    if (phase === undefined) return;
    if (nowNs < this.beginNs || this.given[actor] === -1) return this.wait(actor, nowNs, command);
    if (actor < this.vcpus && this.given[actor]! > 0) this.tally.command(nowNs - this.givenAtNs[actor]!);
    if (this.fill(phase, actor, this.given[actor]!, command)) {
      this.given[actor]! += 1;
      this.givenAtNs[actor] = nowNs;
      return;
    }
    this.given[actor] = -1;
    this.through += 1;
    this.endNs = nowNs;
    if (this.through === this.vcpus + 1) this.endPhase(phase);
    if (this.phase < this.phases.length) this.wait(actor, nowNs, command);
  }

  private fill(phase: Phase, actor: number, n: number, command: Command): boolean {
    if (actor < this.vcpus) return phase.vcpus !== undefined && phase.vcpus(actor, n, command);
    const fields = phase.vmm?.[n];
    if (fields === undefined) return false;
    Object.assign(command, fields);
    return true;
  }

  private wait(actor: number, nowNs: number, command: Command): void {
    command.kind = COMMAND.delay;
    // Who is through waits for the others; who is not, for the begin of the phase.
    command.durationNs = nowNs < this.beginNs && this.given[actor] !== -1 ? this.beginNs - nowNs : POLL_NS / 2;
  }

  private endPhase(phase: Phase): void {
    this.takeCounts();
    this.figures.set(phase.name, this.tally.take(this.endNs - this.beginNs));
    this.beginNs = this.endNs + POLL_NS;
    this.phase += 1;
    this.given.fill(0);
    this.through = 0;
  }

  /** Adds the rows that are not counted yet to the present phase. */
  takeCounts(): void {
    this.tally.fold(this.columns, this.counted);
    this.counted = this.columns.length;
  }
}
