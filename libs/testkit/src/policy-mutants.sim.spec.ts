import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ReclaimPolicy, Workload } from '@s2lab/engine';
import { COMMAND, HOOK, machineConfig } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import { policyByName, POLICIES } from '@s2lab/policies';
import { builtinScenarios, machineConfigFor, plannedMachines, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const rcu = policyByName('rcu');
const rwlock = policyByName('rwlock');
const hypLock = policyByName('hyp-lock');
const epoch = policyByName('epoch');
/** Policies that are known to be unsafe and kept to show why. */
const UNSAFE: readonly string[] = ['refs-naive', 'eager'];
const SAFE = POLICIES.filter(({ name }) => !UNSAFE.includes(name));

/** Runs a built-in scenario, by default the one whose vCPUs are preempted in mid-walk, under `policy`, and judges its log. */
function judge(policy: ReclaimPolicy, seed: number, label: string = policy.name, name = 'preempted'): Verdict {
  const scenario = builtinScenarios.get(name)!;
  const machines = plannedMachines(scenario).map(({ index }) => ({
    origin: { run: 'mutant', machine: index, policy: label, machineKind: 'kvm', workload: scenario.name },
    config: machineConfigFor(scenario, index, seed),
    policy,
    workload: workloadFor(scenario, index, seed),
  }));
  const run = new FleetRun(machines);
  const verifier = new Verifier();
  for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) verifier.fold(frame);
  return verifier.finish();
}

for (const policy of SAFE) {
  test(`${policy.name} holds with preempted walkers, whatever the seed`, () => {
    for (const seed of [1, 2, 3]) assert.deepEqual(judge(policy, seed).counts, {});
  });

  test(`${policy.name} holds through migrations`, () => {
    for (const seed of [1, 2]) assert.deepEqual(judge(policy, seed, policy.name, 'migration').counts, {});
  });
}

/**
 * Designs with one defect each, and the invariant that must report it: alone, since the defect harms nothing else in its scenario. Without a lock,
 * a fault that was decided before logging began maps its page writable after the write protection, so that a write really goes unlogged: those
 * designs are judged where nothing is logged.
 */
const DEFECTS: readonly (readonly [defect: string, invariant: string, policy: ReclaimPolicy, scenario?: string])[] = [
  ['frees what it unlinked at once, with walkers inside their sections', 'I8', { ...rcu, defersFrees: false }],
  ['does not wait for the grace period', 'I8', { ...rcu, mayReclaim: () => HOOK.done }],
  ['lets faults walk without the lock', 'I9', { ...rcu, faultLock: 0 }, 'boot'],
  ['walks shared without a read-side section', 'I9', { ...rcu, guardsWalks: false }],
  ['is hyp-lock and does not take the lock', 'I9', { ...hypLock, faultLock: 0 }, 'boot'],
  ['is epoch and does not wait two epochs', 'I8', { ...epoch, mayReclaim: () => HOOK.done }],
  ['is epoch and walks without an announcement', 'I9', { ...epoch, guardsWalks: false }],
];

for (const [defect, invariant, policy, scenario] of DEFECTS) {
  test(`a policy that ${defect} is reported by ${invariant} and by nothing else`, () => {
    for (const seed of [1, 2, 3])
      assert.deepEqual(Object.keys(judge(policy, seed, policy.name, scenario).counts), [invariant], `seed ${seed}`);
  });
}

/**
 * The race in one block, by the clock. vCPU 0 maps the block; while logging is on it writes two pages, the second time preempted just
 * before it reads in the last-level table. Meanwhile logging ends and vCPU 1 faults in the block: it collapses the table.
 */
function raceInOneBlock(): Workload {
  const page = (n: number) => ({ kind: COMMAND.access, ipa: 0x8000_0000 + n * 4096, access: ACCESS.write });
  const until = (ns: number) => ({ kind: COMMAND.delay, durationNs: ns });
  const tapes = [
    [until(20_000), page(0), until(100_000), page(1), { kind: COMMAND.preempt, durationNs: 1_000_000, level: 3 }, page(2)],
    [until(600_000), { ...page(3), access: ACCESS.read }],
    [
      { kind: COMMAND.memslotCreate, ipa: 0x8000_0000, bytes: 2 ** 21, pa: 0x4_0000_0000, hva: 0x7f00_0000_0000, vmaShift: 12, thp: 1 },
      until(60_000),
      { kind: COMMAND.dirtyLogOn },
      until(300_000),
      { kind: COMMAND.dirtyLogOff },
    ],
  ];
  return { next: (actor, _now, _result, command) => void Object.assign(command, tapes[actor]!.shift() ?? { kind: COMMAND.done }) };
}

function judgeRace(policy: ReclaimPolicy): Verdict {
  const origin = { run: 'race', machine: 0, policy: policy.name, machineKind: 'kvm', workload: 'race' };
  const run = new FleetRun([{ origin, policy, config: machineConfig({ vcpus: 2 }), workload: raceInOneBlock() }]);
  const verifier = new Verifier();
  for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) verifier.fold(frame);
  return verifier.finish();
}

test('a walker preempted at the door of a table that is collapsed meanwhile is safe under every policy but the two that are known not to be', () => {
  for (const policy of SAFE) assert.deepEqual(judgeRace(policy).violations, [], policy.name);
  for (const name of UNSAFE) assert.equal(judgeRace(policyByName(name)).counts.I1! > 0, true, name);
});

test('rwlock that collapses on the read side is caught by I1: the preempted walker reads in a freed table', () => {
  const verdict = judgeRace({ ...rwlock, capabilities: { ...rwlock.capabilities, collapsesInParallel: true } });
  assert.equal(verdict.violations[0]?.invariant, 'I1');
  assert.match(verdict.violations[0].because, /freed/);
});
