import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND } from '@s2lab/engine';
import fc from 'fast-check';
import { GuestLayout } from './guest-layout.ts';
import type { MachineSpec, ScenarioInput } from './index.ts';
import { builtinScenarios, parseScenario, plannedMachines, workloadFor } from './index.ts';
import { GUEST_MEMORY_IPA } from './parse-scenario.ts';
import type { DrivenCommand } from './workload-driver.ts';
import { driveWorkload } from './workload-driver.ts';

type MachineInput = ScenarioInput['machines'][number];

const LIMIT = 400_000;
const TYPES = ['boot', 'steady', 'balloon', 'ageing', 'churn', 'destroy', 'migration'] as const;

/** A small machine with a workload that ends, of any kind and granule. */
function anyMachine(): fc.Arbitrary<MachineInput> {
  return fc
    .record({
      vcpus: fc.integer({ min: 1, max: 5 }),
      pageShift: fc.constantFrom(12 as const, 14 as const, 16 as const),
      memslots: fc.constantFrom(1, 2, 9),
      kilopages: fc.integer({ min: 1, max: 40 }),
      allSet: fc.boolean(),
      type: fc.constantFrom(...TYPES),
      skew: fc.integer({ min: 1, max: 4 }),
      recreateMemslots: fc.boolean(),
      thinkNs: fc.constantFrom(0, 100, 3000),
      startAfterNs: fc.constantFrom(0, 12_345),
    })
    .map(({ vcpus, pageShift, memslots, kilopages, allSet, type, skew, recreateMemslots, thinkNs, startAfterNs }) => {
      const page = 2 ** pageShift;
      const access = { skew, thinkNs };
      const boot = { kernelBytes: 10 * page, initrdBytes: 7 * page, strideBytes: 2 * page, randomTouches: 20 };
      const workload =
        type === 'boot'
          ? { type, params: { ...boot, ...access } }
          : type === 'steady'
            ? { type, params: { ...access, accessesPerVcpu: 200, notifierNs: 2000, notifierBytes: page } }
            : type === 'balloon'
              ? { type, params: { ...access, accessesPerVcpu: 200, chunkBytes: 3 * page, chunkNs: 300, holdNs: 5000 } }
              : type === 'ageing'
                ? { type, params: { ...access, accessesPerVcpu: 200, scanBytes: 5 * page, scanNs: 300, flushYoung: recreateMemslots } }
                : type === 'churn'
                  ? { type, params: { ...access, accessesPerVcpu: 200, churnNs: 3000, downNs: 2000 } }
                  : type === 'destroy'
                    ? { type, params: { ...access, destroyAfterNs: 30_000, accessesAfter: 3 } }
                    : {
                        type,
                        params: {
                          ...boot,
                          ...access,
                          cycles: 2,
                          steadyNs: 20_000,
                          passes: 2,
                          passNs: 20_000,
                          collapseNs: 40_000,
                          notifierNs: 3000,
                          notifierBytes: page,
                          recreateMemslots,
                        },
                      };
      return {
        policy: 'rcu',
        vcpus,
        pageShift,
        memslots: type === 'churn' ? 3 : memslots,
        memoryBytes: kilopages * 33 * (type === 'churn' ? 3 : memslots) * page,
        initiallyAllSet: allSet,
        startAfterNs,
        workload,
      };
    });
}

function scenarioOf(machine: MachineInput) {
  return parseScenario({ name: 'any', machines: [machine] }, 'any');
}

/** Checks each command against the memslots that exist when it is given. */
function assertInBounds(spec: MachineSpec, commands: readonly DrivenCommand[]): void {
  const layout = new GuestLayout(spec);
  const live = new Set<number>();
  const end = GUEST_MEMORY_IPA + spec.memoryBytes;
  for (const command of commands) {
    const { kind, memslot } = command;
    if (kind === COMMAND.memslotCreate) {
      assert.ok(!live.has(memslot) && command.ipa >= GUEST_MEMORY_IPA && command.ipa + command.bytes <= end);
      live.add(memslot);
    } else if (kind === COMMAND.memslotDelete) {
      assert.ok(live.delete(memslot));
    } else if (kind === COMMAND.dirtyLogOn || kind === COMMAND.dirtyLogOff) {
      assert.ok(live.has(memslot));
    } else if (kind === COMMAND.dirtyLogClear) {
      const mask = (BigInt(command.maskHi) << 32n) | BigInt(command.maskLo);
      assert.ok(live.has(memslot) && mask > 0n && command.firstPage % 64 === 0);
      assert.ok(command.firstPage + mask.toString(2).length <= layout.slotPages, 'the mask ends within the memslot');
    } else if (kind === COMMAND.access || kind === COMMAND.ageRange || kind === COMMAND.unmapRange) {
      // Only churn takes memslots away while the guest runs; it keeps off those.
      const { slotBytes } = layout;
      const slots = [command.ipa, command.ipa + Math.max(1, command.bytes) - 1].map((at) =>
        Math.floor((at - GUEST_MEMORY_IPA) / slotBytes),
      );
      assert.ok(spec.workload.type === 'churn' ? slots.every((slot) => live.has(slot)) : live.size === spec.memslots, 'memory is there');
      assert.ok(command.ipa >= GUEST_MEMORY_IPA && command.ipa + Math.max(1, command.bytes) <= end && command.ipa % layout.pageBytes === 0);
      if (kind === COMMAND.access) assert.ok(command.actor < spec.vcpus && [1, 2, 4].includes(command.access));
      else assert.ok(command.bytes > 0 && command.actor === spec.vcpus);
    }
  }
}

test('generated workloads stay within their memslots, end, and destroy the stage-2 last', () => {
  fc.assert(
    fc.property(anyMachine(), fc.nat(), (machine, seed) => {
      const scenario = scenarioOf(machine);
      const spec = scenario.machines[0]!;
      const { commands, ended } = driveWorkload(workloadFor(scenario, 0, seed), spec.vcpus + 1, LIMIT);
      assert.ok(ended, 'the workload ends');
      assertInBounds(spec, commands);
      // Whoever destroys under running vCPUs lets each make a few accesses more.
      const destroyed = commands.findIndex(({ kind }) => kind === COMMAND.destroyVm);
      const after = commands.slice(destroyed + 1);
      if (spec.workload.type === 'destroy') assert.ok(destroyed > 0 && after.every(({ kind }) => kind === COMMAND.access));
      else assert.equal(destroyed, commands.length - 1);
    }),
    { numRuns: 60 },
  );
});

test('equal seeds give equal commands, other seeds other ones', () => {
  fc.assert(
    fc.property(anyMachine(), fc.nat(1e6), (machine, seed) => {
      const scenario = scenarioOf(machine);
      const run = (s: number) => driveWorkload(workloadFor(scenario, 0, s), machine.vcpus! + 1, LIMIT).commands;
      assert.deepEqual(run(seed), run(seed));
      assert.notDeepEqual(run(seed), run(seed + 1));
    }),
    { numRuns: 20 },
  );
});

test('machines of one scenario do not do the same', () => {
  const mixed = builtinScenarios.get('mixed')!;
  const ipas = [0, 1].map((index) => driveWorkload(workloadFor(mixed, index, 1), 3, 20_000).commands.map(({ ipa }) => ipa));
  assert.notDeepEqual(ipas[0], ipas[1]);
});

test('a migration goes through all of its phases in order, in every cycle', () => {
  const smoke = builtinScenarios.get('smoke')!;
  const { commands } = driveWorkload(workloadFor(smoke, 0, 1), 3, LIMIT);
  const phases = commands.filter(({ kind }) => kind === COMMAND.phase).map(({ phase, pass }) => `${phase}/${pass}`);
  assert.deepEqual(phases, ['1/0', '2/0', '3/0', '3/1', '3/2', '4/0', '5/0']);
});

test('the pages that a migration clears in the log are those that were written while logging', () => {
  const smoke = builtinScenarios.get('smoke')!;
  const { commands } = driveWorkload(workloadFor(smoke, 0, 3), 3, LIMIT);
  const layout = new GuestLayout(smoke.machines[0]!);
  const written = new Set<number>();
  let cleared = 0;
  for (const { kind, access, ipa, firstPage, maskLo, maskHi } of commands) {
    if (kind === COMMAND.access && access === 2) written.add((ipa - GUEST_MEMORY_IPA) / layout.pageBytes);
    if (kind !== COMMAND.dirtyLogClear) continue;
    for (let bit = 0; bit < 64; bit += 1) {
      if (((bit < 32 ? maskLo >>> bit : maskHi >>> (bit - 32)) & 1) === 0) continue;
      assert.ok(written.has(firstPage + bit));
      cleared += 1;
    }
  }
  assert.ok(cleared > 10);
});

test('a log that begins all set is cleared whole in the first pass', () => {
  const scenario = scenarioOf({
    policy: 'rcu',
    vcpus: 1,
    memslots: 2,
    memoryBytes: 2 * 100 * 4096,
    initiallyAllSet: true,
    workload: {
      type: 'migration',
      params: {
        kernelBytes: 0,
        initrdBytes: 0,
        randomTouches: 1,
        passes: 1,
        passNs: 1000,
        steadyNs: 1000,
        collapseNs: 1000,
        notifierBytes: 4096,
      },
    },
  });
  const clears = driveWorkload(workloadFor(scenario, 0, 1), 2, LIMIT).commands.filter(({ kind }) => kind === COMMAND.dirtyLogClear);
  const full = 0xffff_ffff;
  const slotWords = (memslot: number) => [
    [memslot, 0, full, full],
    [memslot, 64, full, 0xf],
  ];
  assert.deepEqual(
    clears.map(({ memslot, firstPage, maskLo, maskHi }) => [memslot, firstPage, maskLo, maskHi]),
    [...slotWords(0), ...slotWords(1)],
  );
});

test('walkers are preempted only in the phases and on the vCPUs that the fault names', () => {
  const preempted = builtinScenarios.get('preempted')!;
  const { vcpus } = plannedMachines(preempted)[0]!.spec;
  const { commands } = driveWorkload(workloadFor(preempted, 0, 1), vcpus + 1, 400_000);
  let phase = 0;
  let count = 0;
  for (const command of commands) {
    if (command.kind === COMMAND.phase) phase = command.phase;
    if (command.kind !== COMMAND.preempt) continue;
    assert.ok(phase === 4 && command.actor < 1 && command.durationNs === 8_000_000);
    count += 1;
  }
  assert.ok(count > 5);
});
