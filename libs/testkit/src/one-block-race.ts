import type { Machine, ReclaimPolicy, Workload } from '@s2lab/engine';
import { COMMAND, Machine as SimulatedMachine, machineConfig, step } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { ACCESS, EventColumns } from '@s2lab/events';

const BASE = 0x8000_0000;
const WRITER = 0;
const COLLAPSER = 1;
const VMM = 3;
/** How long the writer runs alone: to its end, unless it spins on a descriptor that the collapser holds locked. */
const SPIN_STEPS = 300;
/** Steps after which a schedule that still has not ended is taken for one that never will. */
const STEPS_MAX = 100_000;

/** A schedule of the race: how far the writer comes alone, and then the collapser with the reclaim worker, before anybody may run. */
export interface RaceSchedule {
  readonly writerSteps: number;
  readonly collapserSteps: number;
}

/** What came of it. */
export interface RacePlayed {
  readonly frame: Frame;
  /** Whether the schedule held the writer, or the collapser, up in mid-course: a sweep may stop at the first that does not. */
  readonly writerHeld: boolean;
  readonly collapserHeld: boolean;
}

/**
 * The race in one block, step by step. While a memslot is logged, vCPU 0 writes to a page that is not mapped yet and is held up after
 * `writerSteps` steps; logging ends; vCPU 1 touches the block and collapses its table, held up in turn after `collapserSteps` steps; vCPU 0
 * goes on to its end, then everybody, with vCPU 2 that wants the block too. Last the stage-2 is destroyed.
 */
export function playOneBlockRace(policy: ReclaimPolicy, { writerSteps, collapserSteps }: RaceSchedule): RacePlayed {
  const race = new Race(policy);
  race.run([WRITER, VMM], Infinity);
  race.open(WRITER);
  const writerHeld = race.run([WRITER], writerSteps) > 0;
  race.open(VMM);
  race.run([VMM], Infinity);
  race.open(COLLAPSER);
  const collapserHeld = race.run([COLLAPSER, race.machine.reclaimActor], collapserSteps) > 0;
  race.run([WRITER], SPIN_STEPS);
  race.open(2);
  race.run([WRITER, COLLAPSER, 2, VMM, race.machine.reclaimActor], Infinity);
  race.open(VMM);
  race.run([WRITER, COLLAPSER, 2, VMM, race.machine.reclaimActor], Infinity);
  if (!race.machine.done) throw new Error(`deadlock: ${race.machine.describeWaiting()}`);
  race.machine.stop(0);
  const origin = { run: 'race', machine: 0, policy: policy.name, machineKind: 'kvm', workload: 'one-block-race' };
  return { frame: { origin, firstSeq: 0, rows: race.machine.columns }, writerHeld, collapserHeld };
}

type Request = Readonly<Record<string, number>>;

/** What each actor does: sections that are opened one after the other; an actor whose section is over waits at the gate. */
function sections(): Request[][][] {
  const write = (page: number) => ({ kind: COMMAND.access, ipa: BASE + page * 4096, access: ACCESS.write });
  const read = (page: number) => ({ kind: COMMAND.access, ipa: BASE + page * 4096, access: ACCESS.read });
  const memslot = { ipa: BASE, bytes: 2 ** 21, pa: 0x4_0000_0000, hva: 0x7f00_0000_0000, vmaShift: 12, thp: 1 };
  return [
    [[write(0), { kind: COMMAND.delay, durationNs: 400_000 }, write(1)], [write(2)]],
    [[], [read(3)]],
    [[], [write(4)]],
    [
      [{ kind: COMMAND.memslotCreate, ...memslot }, { kind: COMMAND.delay, durationNs: 100_000 }, { kind: COMMAND.dirtyLogOn }],
      [{ kind: COMMAND.dirtyLogOff }],
      [{ kind: COMMAND.destroyVm }],
    ],
  ];
}

class Race implements Workload {
  readonly machine: Machine;
  private readonly todo = sections();
  private readonly atGate = new Set<number>();
  private now = 0;

  constructor(policy: ReclaimPolicy) {
    this.machine = new SimulatedMachine(machineConfig({ vcpus: VMM }), policy, this, new EventColumns());
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

  open(actor: number): void {
    if (this.todo[actor]!.length > 1) this.todo[actor]!.shift();
    this.atGate.delete(actor);
  }

  /** Lets `actors` run by their clocks for `steps` steps, or until each is at its gate or waits. Returns how many could still run. */
  run(actors: readonly number[], steps: number): number {
    const { machine } = this;
    for (let taken = 0; taken < STEPS_MAX; taken += 1) {
      const ready = actors.filter((actor) => !this.atGate.has(actor) && machine.clock[actor]! < Infinity);
      if (ready.length === 0 || taken >= steps) return ready.length;
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
