import type { Command, MachineConfig, Workload } from '@s2lab/engine';
import { COMMAND, Machine, machineConfig } from '@s2lab/engine';
import { EventColumns, FRAME_ROWS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { MachineRun } from '@s2lab/scheduler';

/** Frames that a recording in memory holds: 4 million events. What is older is overwritten. */
const FRAMES_KEPT = 64;

/** How long who has nothing to do waits before it asks again. */
const REST_NS = 1_000_000;

/** What a stretch of work took. */
export interface Spent {
  readonly events: number;
  readonly steps: number;
  /** User and system time of the process. */
  readonly cpuNs: number;
}

/** Answers `actor`'s question what to do next; false: nothing more in this stretch. */
export type Script = (actor: number, command: Command) => boolean;

/**
 * A machine that records to memory: a full frame stays as it is, and the next one is written behind it. It works in stretches, each by a script,
 * under the scheduler of the fleet. Between two of them its actors wait.
 */
export class MeasuredMachine implements Workload {
  readonly machine: Machine;
  private readonly run: MachineRun;
  private readonly frames: readonly EventColumns[];
  private frame = 0;
  private events = 0;
  private script: Script = () => false;
  private resting = 0;
  private readonly rests: Uint8Array;

  constructor(policy: string, overrides: Partial<MachineConfig>) {
    this.frames = Array.from({ length: FRAMES_KEPT }, () => new EventColumns(FRAME_ROWS));
    this.machine = new Machine(machineConfig(overrides), policyByName(policy), this, this.frames[0]!);
    this.run = new MachineRun(this.machine);
    this.rests = new Uint8Array(this.machine.world.actors);
  }

  /** Workload: the script's answer; who has none waits. */
  next(actor: number, _nowNs: number, _lastResult: number, command: Command): void {
    if (this.rests[actor] === 0 && this.script(actor, command)) return;
    if (this.rests[actor] === 0) this.resting += 1;
    this.rests[actor] = 1;
    command.kind = COMMAND.delay;
    command.durationNs = REST_NS;
  }

  /** Works until the script has nothing more for anybody and every retired table is freed. */
  work(script: Script): Spent {
    const { machine, run } = this;
    this.script = script;
    this.resting = 0;
    this.rests.fill(0);
    const events = this.recorded;
    const { steps } = run;
    const before = process.cpuUsage();
    while (this.resting < machine.config.vcpus + 1 || machine.world.retiredCount > 0 || machine.reclaiming) {
      run.runUntil(run.nowNs + REST_NS);
      if (machine.columns.length > machine.columns.capacity - machine.eventsPerStep) this.keepFrame();
    }
    const { user, system } = process.cpuUsage(before);
    return { events: this.recorded - events, steps: run.steps - steps, cpuNs: (user + system) * 1000 };
  }

  private get recorded(): number {
    return this.events + this.machine.columns.length;
  }

  private keepFrame(): void {
    const { machine } = this;
    this.events += machine.columns.length;
    this.frame = (this.frame + 1) % FRAMES_KEPT;
    machine.columns = this.frames[this.frame]!;
    machine.columns.clear();
  }
}
