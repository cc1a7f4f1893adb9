import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import { POLICIES, policyByName } from '@s2lab/policies';
import { builtinScenarios, machineConfigFor, plannedMachines, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';
import { quietMoment } from './quiet-moment.ts';

const page = readFileSync(join(import.meta.dirname, '../../../../docs/POLICIES.md'), 'utf8');

function judge(policy: ReclaimPolicy): Verdict {
  const scenario = builtinScenarios.get('preempted')!;
  const machines = plannedMachines(scenario).map(({ index }) => ({
    origin: { run: 'example', machine: index, policy: policy.name, machineKind: 'kvm', workload: scenario.name },
    config: machineConfigFor(scenario, index, 1),
    policy,
    workload: workloadFor(scenario, index, 1),
  }));
  const run = new FleetRun(machines);
  const verifier = new Verifier();
  for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) verifier.fold(frame);
  return verifier.finish();
}

test('docs/POLICIES.md shows the example as it is', () => {
  assert.ok(page.includes(`\`\`\`ts\n${readFileSync(join(import.meta.dirname, 'quiet-moment.ts'), 'utf8')}\`\`\``));
});

test('docs/POLICIES.md lists every policy with its capabilities, and no other', () => {
  const listed = [...page.matchAll(/^\| `([a-z0-9.-]+)` \| (yes|no) \| (yes|no) \| (yes|no) \|/gm)].map((row) => row.slice(1));
  const word = (yes: boolean) => (yes ? 'yes' : 'no');
  const real = POLICIES.map(({ name, capabilities: c }) => [name, word(c.needsRcu), word(c.usableAtEl2), word(c.collapsesInParallel)]);
  assert.deepEqual(listed, real);
});

test('the example holds with preempted walkers, and without its wait I8 reports it', () => {
  const verdict = judge(quietMoment);
  assert.deepEqual(verdict.counts, {});
  assert.ok(verdict.events > 100_000);
  assert.deepEqual(Object.keys(judge({ ...quietMoment, mayReclaim: () => HOOK.done }).counts), ['I8']);
});

test('a policy that does not exist is refused by a line that names those that do', () => {
  assert.throws(() => policyByName('rcuu'), { name: 'RangeError', message: /'rcuu' does not exist; there are rcu, rwlock, hyp-lock/ });
});
