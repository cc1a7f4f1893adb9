import type { ReclaimPolicy } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { ACCESS } from '@s2lab/events';
import type { Request } from './stepped-machine.ts';
import { SteppedMachine } from './stepped-machine.ts';

const BASE = 0x8000_0000;
const WRITER = 0;
const COLLAPSER = 1;
const VMM = 3;
/** How long the writer runs alone: to its end, unless it spins on a descriptor that the collapser holds locked. */
const SPIN_STEPS = 300;

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
  const race = new SteppedMachine(policy, sections());
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
  return { frame: race.finish('one-block-race'), writerHeld, collapserHeld };
}

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
