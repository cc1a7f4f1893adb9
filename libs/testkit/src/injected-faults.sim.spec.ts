import { test } from 'node:test';
import assert from 'node:assert/strict';
import { INJECTED } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { AT, EventMetrics } from '@s2lab/metrics';
import { policyByName } from '@s2lab/policies';
import type { Scenario } from '@s2lab/scenarios';
import { builtinScenarios, machineConfigFor, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

/** Machine 0 of a scenario under a policy, judged: its figures, and the faults that were handled with each result. */
function run(scenario: Scenario, policy: string) {
  const origin = { run: 'faults', machine: 0, policy, machineKind: 'kvm', workload: scenario.name };
  const fleet = new FleetRun([
    { origin, config: machineConfigFor(scenario, 0, 1), policy: policyByName(policy), workload: workloadFor(scenario, 0, 1) },
  ]);
  const metrics = new EventMetrics();
  const verifier = new Verifier();
  let oldestNs = 0;
  for (let frame = fleet.nextFrame(Infinity); frame !== undefined; frame = fleet.nextFrame(Infinity)) {
    metrics.observe(frame);
    verifier.fold(frame);
    for (const tally of metrics.machines()) oldestNs = Math.max(oldestNs, tally.oldestPendingNs);
  }
  assert.deepEqual(verifier.finish().violations, []);
  const [tally] = metrics.machines();
  const result = (name: string) => metrics.samples('s2lab_fault_results_total').find(({ labels }) => labels.result === name)!.value;
  return { tally: tally!, oldestNs, enomem: result('enomem'), injected: (code: number) => tally!.counts[AT.injected + code]! };
}

/** A built-in scenario, cut to one migration cycle. */
function withFaults(name: string): Scenario {
  const scenario = builtinScenarios.get(name)!;
  const [machine] = scenario.machines;
  assert.ok(machine?.workload.type === 'migration');
  const workload = { ...machine.workload, params: { ...machine.workload.params, cycles: 1 } };
  return { ...scenario, machines: [{ ...machine, workload }] };
}

/** The same scenario, undisturbed. */
function without(scenario: Scenario): Scenario {
  return { ...scenario, faults: [] };
}

for (const policy of ['rcu', 'epoch', 'hazard']) {
  test(`${policy}: pending frees grow while the reclaim worker is stalled, and each stall is an event`, () => {
    const scenario = withFaults('stalled-grace-periods');
    const stalled = run(scenario, policy);
    const calm = run(without(scenario), policy);
    assert.ok(stalled.injected(INJECTED.gracePeriodStalled) > 0);
    assert.equal(calm.injected(INJECTED.gracePeriodStalled), 0);
    assert.ok(stalled.tally.pendingPeak > calm.tally.pendingPeak, `${stalled.tally.pendingPeak} against ${calm.tally.pendingPeak}`);
    assert.ok(stalled.oldestNs >= 4_000_000 && stalled.oldestNs > calm.oldestNs, `${stalled.oldestNs} against ${calm.oldestNs}`);
  });
}

test('rcu: pending frees grow while a walker that is inside has lost its core', () => {
  const scenario = withFaults('preempted');
  const preempted = run(scenario, 'rcu');
  const calm = run(without(scenario), 'rcu');
  assert.ok(preempted.injected(INJECTED.vcpuPreempted) > 0);
  assert.ok(preempted.tally.pendingPeak > calm.tally.pendingPeak, `${preempted.tally.pendingPeak} against ${calm.tally.pendingPeak}`);
});

test('rwlock: nothing is ever pending, so nothing is stalled', () => {
  const { injected, tally } = run(withFaults('stalled-grace-periods'), 'rwlock');
  assert.deepEqual([injected(INJECTED.gracePeriodStalled), tally.pendingPeak], [0, 0]);
});

test('a slow TLBI delays who waits for it, and is an event', () => {
  const scenario = withFaults('slow-tlbi');
  const slow = run(scenario, 'rwlock');
  const waited = (tally: typeof slow.tally) => tally.counts[AT.waitNs + 1]! + tally.counts[AT.waitNs + 2]!;
  assert.ok(slow.injected(INJECTED.slowTlbi) > 5);
  assert.ok(waited(slow.tally) > waited(run(without(scenario), 'rwlock').tally));
});

for (const policy of ['rcu', 'v6.1', 'refs']) {
  test(`${policy}: without table pages a fault ends with -ENOMEM and is taken again; no rule is broken on the way`, () => {
    const { injected, enomem } = run(withFaults('empty-cache'), policy);
    assert.ok(injected(INJECTED.cacheExhausted) > 5);
    assert.ok(enomem > 0);
  });
}
