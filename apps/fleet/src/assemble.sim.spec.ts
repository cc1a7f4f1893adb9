import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { CoalesceMode } from '@s2lab/engine';
import { K } from '@s2lab/events';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { POLICIES } from '@s2lab/policies';
import type { ScenarioInput } from '@s2lab/scenarios';
import { parseScenario, ScenarioError } from '@s2lab/scenarios';
import { assembleFleet } from './assemble.ts';

const MEMORY = '64MiB';
const PARAMS = { lives: 2, guestBytes: '64KiB', hostTouches: 40, guestTouches: 40, sharedPages: 4 };

/** A KVM guest beside a pKVM machine with the policies given. */
function mixed(policy: string, hostPolicy: string, coalesce: CoalesceMode = 'eager') {
  const machine = { kind: 'pkvm', policy, hostPolicy, coalesce, vcpus: 3, memoryBytes: MEMORY } as const;
  const machines: ScenarioInput['machines'] = [
    { policy: 'rcu', vcpus: 2, memoryBytes: '8MiB', workload: { type: 'boot', params: { kernelBytes: '256KiB', initrdBytes: '256KiB' } } },
    { ...machine, workload: { type: 'protected-guests', params: PARAMS } },
  ];
  return parseScenario({ name: 'mixed', machines }, 'spec');
}

/** Runs everything; counts events by kind and stage-2 of the second machine. */
function run(scenario: ReturnType<typeof mixed>) {
  const { producer, machines } = assembleFleet(scenario, { seed: 5 });
  const verifier = new Verifier();
  const counts = new Map<number, number>();
  const stage2s = new Set<number>();
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    verifier.fold(frame);
    for (let i = 0; frame.origin.machine === 1 && i < frame.rows.length; i += 1) {
      counts.set(frame.rows.kind[i]!, (counts.get(frame.rows.kind[i]!) ?? 0) + 1);
      stage2s.add(frame.rows.stage2[i]!);
    }
  }
  return { verdict: verifier.finish(), count: (kind: number) => counts.get(kind) ?? 0, stage2s, machines };
}

const AT_EL2 = POLICIES.filter(({ capabilities, name }) => capabilities.usableAtEl2 && name !== 'refs-naive' && name !== 'eager');

for (const { name } of AT_EL2) {
  test(`a KVM guest under rcu, pKVM guests under hyp-lock and their host under ${name} run side by side, and every rule holds`, () => {
    const { verdict, count, stage2s, machines } = run(mixed('hyp-lock', name));
    assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
    assert.deepEqual(
      [...stage2s].toSorted((a, b) => a - b),
      [0, 1, 2, 3],
      'the host and a guest of each core',
    );
    assert.deepEqual(
      machines.map(({ machineKind, policy }) => [machineKind, policy]),
      [
        ['kvm', 'rcu'],
        ['pkvm', name === 'hyp-lock' ? 'hyp-lock' : `hyp-lock+${name}`],
      ],
    );
    assert.deepEqual([count(K.guestCreated), count(K.guestDestroyed)], [6, 6]);
    assert.ok(count(K.hostAborted) > 0 && count(K.pageReclaimed) > 0 && count(K.tableUnlinked) > 0);
  });
}

for (const { name } of AT_EL2.filter(({ visitors }) => visitors === undefined)) {
  test(`a host under ${name} whose tables are dropped by their page count has its pages back, and every rule holds`, () => {
    const { verdict, count } = run(mixed('hyp-lock', name, 'lazy'));
    assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
    assert.ok(count(K.tableUnlinked) > 0 && count(K.pageReclaimed) > 0 && count(K.hostAborted) > 0);
  });
}

test('a host whose blocks are never coalesced ends with more pages mapped one by one than one that coalesces eagerly', () => {
  const unlinked = (mode: 'none' | 'eager') => run(mixed('hyp-lock', 'hyp-lock', mode)).count(K.tableUnlinked);
  assert.ok(unlinked('eager') > unlinked('none'));
});

test('a policy that needs RCU is refused at EL2 by name and reason, for the guests and for the host', () => {
  for (const scenario of [mixed('rcu', 'epoch'), mixed('epoch', 'rcu')])
    assert.throws(
      () => assembleFleet(scenario, { seed: 1 }),
      (error: unknown) => error instanceof ScenarioError && /policy 'rcu' is refused for a pkvm machine: it needs RCU/.test(error.message),
    );
});

test('lazy coalescing is refused with a policy whose walks count every leaf, by name and reason', () => {
  assert.throws(
    () => assembleFleet(mixed('hyp-lock', 'v6.1', 'lazy'), { seed: 1 }),
    (error: unknown) =>
      error instanceof ScenarioError && /coalesce 'lazy' is refused with policy 'v6\.1' for the host: its walks/.test(error.message),
  );
});
