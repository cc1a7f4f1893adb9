import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { COLLAPSE_MODES, TEARDOWN_ORDERS } from '@s2lab/engine';
import { Verifier } from '@s2lab/invariants';
import { policyByName, POLICIES } from '@s2lab/policies';
import type { Scenario } from '@s2lab/scenarios';
import { machineConfigFor, parseScenario, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const UNSAFE: readonly string[] = ['refs-naive', 'eager'];
/** Every fault that can be injected, often enough for a short run. */
const FAULTS = [
  { kind: 'preempted-walkers', durationNs: 30_000, oneIn: 60 },
  { kind: 'slow-tlbi', durationNs: 10_000, oneIn: 40 },
  { kind: 'empty-cache', oneIn: 30 },
  { kind: 'stalled-grace-periods', durationNs: 50_000, oneIn: 60 },
] as const;
const SAFE = POLICIES.map(({ name }) => name).filter((name) => !UNSAFE.includes(name));

/** Short migrations in which every way of collapsing meets guest faults, dirty logging, notifier calls and injected faults. */
const anyScenario: fc.Arbitrary<Scenario> = fc
  .record({
    policy: fc.constantFrom(...SAFE),
    collapse: fc.constantFrom(...COLLAPSE_MODES),
    teardown: fc.constantFrom(...TEARDOWN_ORDERS),
    vcpus: fc.integer({ min: 1, max: 4 }),
    pageShift: fc.constantFrom(12 as const, 12 as const, 16 as const),
    thp: fc.constantFrom(0, 1, 2),
    hugetlb: fc.constantFrom(undefined, '2MiB', '1GiB'),
    memslots: fc.constantFrom(1, 3),
    eagerSplitBytes: fc.constantFrom(0, 2 ** 21),
    initiallyAllSet: fc.boolean(),
    faults: fc.subarray([...FAULTS], { minLength: 0 }),
    features: fc.record({ fwb: fc.boolean(), tlbRange: fc.boolean(), hardwareAccessFlag: fc.boolean(), dic: fc.boolean() }),
  })
  .map(({ pageShift, hugetlb, memslots, faults, ...machine }) => {
    const bytes = pageShift === 16 ? 2 ** 30 : hugetlb === '1GiB' ? 2 ** 30 : 2 ** 23;
    const page = 2 ** pageShift;
    const boot = { kernelBytes: 64 * page, initrdBytes: 64 * page, strideBytes: page, randomTouches: 40 };
    const times = { steadyNs: 100_000, passNs: 100_000, collapseNs: 300_000, notifierNs: 60_000, notifierBytes: page };
    return parseScenario(
      {
        name: 'any',
        faults,
        machines: [
          {
            ...machine,
            pageShift,
            memslots,
            ...(hugetlb === undefined || pageShift === 16 ? {} : { hugetlb }),
            memoryBytes: bytes * memslots,
            workload: {
              type: 'migration',
              params: { ...boot, ...times, cycles: 1, passes: 2, thinkNs: 2000, workingSetBytes: 2 ** 23, recreateMemslots: true },
            },
          },
        ],
      },
      'any',
    );
  });

test('every safe policy holds under every collapse mode, on machines of any shape, whatever faults are injected', () => {
  fc.assert(
    fc.property(anyScenario, fc.nat(1e6), (scenario, seed) => {
      const { policy } = scenario.machines[0]!;
      const origin = { run: 'modes', machine: 0, policy, machineKind: 'kvm', workload: 'any' };
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
