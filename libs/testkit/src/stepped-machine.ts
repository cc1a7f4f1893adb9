import type { MachineConfig, ReclaimPolicy, Workload } from '@s2lab/engine';
import { COMMAND, Machine, machineConfig, step } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { EventColumns } from '@s2lab/events';

/** Steps after which a schedule that still has not ended is taken for one that never will. */
const STEPS_MAX = 100_000;

/** Fields of a command. */
export type Request = Readonly<Record<string, number>>;

/**
 * A machine whose schedule is played by hand. What each actor is to do comes in sections; an actor whose section is over waits at the gate
 * until the next one is opened.
 */
export class SteppedMachine implements Workload {
  readonly machine: Machine;
  private readonly todo: Request[][][];
  private readonly atGate = new Set<number>();
  private now = 0;

  /** @param sections of each vCPU, then of the VMM thread: lists of requests, opened one after the other */
  constructor(policy: ReclaimPolicy, sections: readonly (readonly (readonly Request[])[])[], overrides: Partial<MachineConfig> = {}) {
    this.todo = sections.map((actor) => actor.map((section) => [...section]));
    this.machine = new Machine(machineConfig({ ...overrides, vcpus: sections.length - 1 }), policy, this, new EventColumns());
  }

  next(actor: number, _now: number, _result: number, command: object): void {
    const request = this.todo[actor]![0]!.shift();
    if (request !== undefined) {
      Object.assign(command, request);
      return;
    }
    this.atGate.add(actor);
    Object.assign(command, this.todo[actor]!.length === 1 ? { kind: COMMAND.done } : { kind: COMMAND.delay, durationNs: 1 });
  }

  /** Opens the next section of `actor`. */
  open(actor: number): void {
    if (this.todo[actor]!.length > 1) this.todo[actor]!.shift();
    this.atGate.delete(actor);
  }

  /** Opens the next section of `actor` and lets it run, alone, until it is at its gate or waits, or `until` says so. */
  play(actor: number, until: () => boolean = () => false): void {
    this.open(actor);
    this.run([actor], STEPS_MAX, until);
  }

  /** Stops the machine, whose actors must have nothing left to do, and returns its log. */
  finish(workload: string): Frame {
    const { machine } = this;
    if (!machine.done) throw new Error(`deadlock: ${machine.describeWaiting()}`);
    machine.stop(0);
    return {
      origin: { run: 'race', machine: 0, policy: machine.policy.name, machineKind: 'kvm', workload },
      firstSeq: 0,
      rows: machine.columns,
    };
  }

  /** Lets `actors` run by their clocks for `steps` steps, or until each is at its gate or waits. Returns how many could still run. */
  run(actors: readonly number[], steps: number, until: () => boolean = () => false): number {
    const { machine } = this;
    for (let taken = 0; taken < STEPS_MAX; taken += 1) {
      const ready = actors.filter((actor) => !this.atGate.has(actor) && machine.clock[actor]! < Infinity);
      if (ready.length === 0 || taken >= steps || until()) return ready.length;
      const actor = ready.reduce((first, other) => (machine.clock[other]! < machine.clock[first]! ? other : first));
      const walker = machine.walkers[actor]!;
      this.now = Math.max(this.now, machine.clock[actor]!);
      machine.beginStep(this.now);
      step(machine, walker);
      machine.clock[actor] = walker.blocked !== 0 || walker.isFinished ? Infinity : this.now + machine.stepCost();
    }
    throw new Error(`the race has not ended after ${STEPS_MAX} steps: ${machine.describeWaiting()}`);
  }
}
