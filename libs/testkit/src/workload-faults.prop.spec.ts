import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Verifier } from '@s2lab/invariants';
import { policyByName, POLICIES } from '@s2lab/policies';
import type { Scenario, ScenarioInput } from '@s2lab/scenarios';
import { FAULT_KINDS, machineConfigFor, parseScenario, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const UNSAFE: readonly string[] = ['refs-naive', 'eager'];
const SAFE = POLICIES.map(({ name }) => name).filter((name) => !UNSAFE.includes(name));
const ACCESS = { accessesPerVcpu: 400, thinkNs: 300, skew: 1 };

/**
 * The host's operations leave a fault the time that it takes: to zero and clean a huge page, behind those of other vCPUs. A host that invalidates
 * faster starves faults, which find the memory map changed every time they hold the lock (kernel: mmu_invalidate_retry()).
 */
const WORKLOADS: readonly ScenarioInput['machines'][number]['workload'][] = [
  { type: 'boot', params: { kernelBytes: '256KiB', initrdBytes: '1MiB', randomTouches: 100 } },
  { type: 'steady', params: { ...ACCESS, notifierNs: 400_000 } },
  { type: 'balloon', params: { ...ACCESS, chunkNs: 100_000, holdNs: 400_000 } },
  { type: 'ageing', params: { ...ACCESS, scanNs: 50_000, windowBytes: '256KiB', driftAccesses: 5, flushYoung: true } },
  { type: 'churn', params: { ...ACCESS, churnedSlots: 2, churnNs: 400_000, downNs: 200_000 } },
  { type: 'destroy', params: { thinkNs: 0, skew: 1, destroyAfterNs: 100_000, accessesAfter: 5 } },
];

/** Any workload but a migration (collapse-modes.prop.spec.ts), with any faults, often enough for a short run. */
const anyScenario: fc.Arbitrary<Scenario> = fc
  .record({
    policy: fc.constantFrom(...SAFE),
    vcpus: fc.integer({ min: 1, max: 4 }),
    thp: fc.constantFrom(0, 1, 2),
    features: fc.record({ fwb: fc.boolean(), tlbRange: fc.boolean(), hardwareAccessFlag: fc.boolean(), dic: fc.boolean() }),
    workload: fc.constantFrom(...WORKLOADS),
    faults: fc.subarray(Object.values(FAULT_KINDS).map(({ preset }) => preset)),
  })
  .map(({ faults, ...machine }) => {
    const often = faults.map((fault) => ({ ...fault, oneIn: 40, ...('durationNs' in fault && { durationNs: 20_000 }) }));
    return parseScenario({ name: 'any', faults: often, machines: [{ ...machine, memoryBytes: '8MiB', memslots: 4 }] }, 'any');
  });

test('every safe policy holds under every workload, whatever faults are injected', () => {
  fc.assert(
    fc.property(anyScenario, fc.nat(1e6), (scenario, seed) => {
      const { policy, workload } = scenario.machines[0]!;
      const origin = { run: 'any', machine: 0, policy, machineKind: 'kvm', workload: workload.type };
      const run = new FleetRun([
        { origin, config: machineConfigFor(scenario, 0, seed), policy: policyByName(policy), workload: workloadFor(scenario, 0, seed) },
      ]);
      const verifier = new Verifier();
      for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) verifier.fold(frame);
      const verdict = verifier.finish();
      assert.deepEqual(verdict.violations, []);
      assert.equal(verdict.verdict, 'holds');
    }),
    { numRuns: 60 },
  );
});
