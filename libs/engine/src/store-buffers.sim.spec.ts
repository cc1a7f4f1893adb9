import { test } from 'node:test';
import assert from 'node:assert/strict';
import { EventColumns, K } from '@s2lab/events';
import type { MemoryModel, ReclaimPolicy, Workload } from './index.ts';
import { BufferedMachine, Machine, machineConfig } from './index.ts';

/*
 * Litmus tests: small programs of two cores over two slots, x and y, of one table. The set of outcomes that all schedules give must equal the set
 * that the memory model allows: one outcome less and the checker would miss defects, one more and it would report what cannot be.
 */

const X = 0;
const Y = 1;

/** What a core does: stores 1, stores 1 with release, reads, or waits until its stores are seen. */
type Op = readonly ['store' | 'release' | 'read', slot: number] | readonly ['fence'];

const POLICY = { name: 'none', stateWords: () => 0, faultLock: 0 } as unknown as ReclaimPolicy;
const WORKLOAD: Workload = { next: () => {} };

function twoCores(memory: MemoryModel): Machine {
  const Kind = memory === 'sc' ? Machine : BufferedMachine;
  const machine = new Kind(machineConfig({ memory, vcpus: 2 }), POLICY, WORKLOAD, new EventColumns(256));
  machine.world.pages.allocate(0, 3);
  return machine;
}

/** Plays choices, then says which could follow. A choice is a core, or 2 + 3 * core + the lane of its store that becomes visible. */
function play(memory: MemoryModel, programs: readonly (readonly Op[])[], choices: readonly number[]): { next: number[]; outcome: string } {
  const machine = twoCores(memory);
  const done = [0, 0];
  const read: number[][] = [[], []];
  for (const choice of choices) {
    if (choice >= 2) {
      (machine as BufferedMachine).drain(Math.floor((choice - 2) / 3), (choice - 2) % 3);
      continue;
    }
    const [what, slot = 0] = programs[choice]![done[choice]!]!;
    done[choice]! += 1;
    const walker = machine.walkers[choice]!;
    walker.table = 0;
    walker.level = 3;
    walker.slot = slot;
    if (what === 'fence') machine.fence(walker);
    else if (what === 'read') {
      machine.readDescriptor(walker);
      read[choice]!.push(walker.oldLo);
    } else machine.storeDescriptor(walker, what === 'release' ? K.descriptorReleased : K.descriptorStored, 1, 0);
  }
  const next = [0, 1].filter((core) => done[core]! < programs[core]!.length);
  for (let drain = 2; drain < 8; drain += 1)
    if (machine.buffers?.canDrain(Math.floor((drain - 2) / 3), (drain - 2) % 3) === true) next.push(drain);
  return { next, outcome: read.flat().join('') };
}

/** What the cores may have read, one after the other, in any schedule. */
function outcomes(memory: MemoryModel, ...programs: readonly (readonly Op[])[]): string[] {
  const found = new Set<string>();
  const visit = (choices: readonly number[]): void => {
    const { next, outcome } = play(memory, programs, choices);
    if (next.length === 0) found.add(outcome);
    for (const choice of next) visit([...choices, choice]);
  };
  visit([]);
  return [...found].toSorted();
}

const LITMUS: readonly {
  readonly name: string;
  readonly programs: readonly (readonly Op[])[];
  readonly sc: readonly string[];
  readonly tso: readonly string[];
  readonly pso: readonly string[];
}[] = [
  {
    name: 'SB: each stores and reads what the other stores',
    programs: [
      [
        ['store', X],
        ['read', Y],
      ],
      [
        ['store', Y],
        ['read', X],
      ],
    ],
    sc: ['01', '10', '11'],
    tso: ['00', '01', '10', '11'],
    pso: ['00', '01', '10', '11'],
  },
  {
    name: 'SB with a barrier between store and read',
    programs: [
      [['store', X], ['fence'], ['read', Y]],
      [['store', Y], ['fence'], ['read', X]],
    ],
    sc: ['01', '10', '11'],
    tso: ['01', '10', '11'],
    pso: ['01', '10', '11'],
  },
  {
    name: 'MP: data, then flag, by plain stores; the other reads flag, then data',
    programs: [
      [
        ['store', X],
        ['store', Y],
      ],
      [
        ['read', Y],
        ['read', X],
      ],
    ],
    sc: ['00', '01', '11'],
    tso: ['00', '01', '11'],
    pso: ['00', '01', '10', '11'],
  },
  {
    name: 'MP, the flag by a store-release',
    programs: [
      [
        ['store', X],
        ['release', Y],
      ],
      [
        ['read', Y],
        ['read', X],
      ],
    ],
    sc: ['00', '01', '11'],
    tso: ['00', '01', '11'],
    pso: ['00', '01', '11'],
  },
  {
    name: 'a core sees its own stores',
    programs: [
      [
        ['store', X],
        ['read', X],
      ],
      [['read', X]],
    ],
    sc: ['10', '11'],
    tso: ['10', '11'],
    pso: ['10', '11'],
  },
];

for (const { name, programs, ...allowed } of LITMUS) {
  for (const memory of ['sc', 'tso', 'pso'] as const) {
    test(`${memory}, ${name}: the outcomes are those that the model allows, all of them`, () => {
      assert.deepEqual(outcomes(memory, ...programs), allowed[memory]);
    });
  }
}

test('the stores of one core to one slot keep their order', () => {
  for (const memory of ['tso', 'pso'] as const) {
    const machine = twoCores(memory);
    const walker = machine.walkers[0]!;
    walker.level = 3;
    for (const lo of [5, 6, 7]) machine.storeDescriptor(walker, K.descriptorStored, lo, 0);
    assert.deepEqual(
      [0, 1, 2].map((lane) => machine.buffers!.canDrain(0, lane)),
      [true, false, false],
    );
    machine.fence(walker);
    assert.equal(machine.world.pages.descriptors[machine.world.pages.indexOf(0, 0)], 7);
    const held = [0, 1, 2].map((event) => machine.columns.old[2 * event]);
    assert.deepEqual(held, [0, 5, 6], 'each event says what memory held');
  }
});

test('a fresh page holds garbage for others, and for hardware, until its initialisation is seen', () => {
  const machine = twoCores('pso');
  const walker = machine.walkers[0]!;
  const frame = machine.allocateTable(walker, 3, 0);
  const { buffers, world } = machine;
  assert.deepEqual(
    [0, 1, -1].map((actor) => buffers!.seen(world, actor, frame, 1, 0) !== 0),
    [false, true, true],
  );
  machine.fence(walker);
  assert.deepEqual(
    [0, 1, -1].map((actor) => buffers!.seen(world, actor, frame, 1, 0)),
    [0, 0, 0],
  );
});
