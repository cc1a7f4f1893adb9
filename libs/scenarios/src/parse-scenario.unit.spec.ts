import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  builtinScenarios,
  machineConfigFor,
  parseScenario,
  parseScenarioText,
  plannedMachines,
  scenarioJsonSchema,
  ScenarioError,
} from './index.ts';

const BOOT = { type: 'boot', params: { kernelBytes: '1MiB', initrdBytes: 0 } };

/** Problems of a scenario with one machine of these fields. */
function problemsOf(machine: object, rest: object = {}): readonly string[] {
  try {
    parseScenario({ name: 'x', machines: [{ policy: 'rcu', workload: BOOT, ...machine }], ...rest }, 'x.json');
  } catch (error) {
    assert.ok(error instanceof ScenarioError);
    return error.problems;
  }
  return [];
}

test('a minimal scenario is completed by its defaults', () => {
  const scenario = parseScenario({ name: 'x', machines: [{ policy: 'rcu', workload: { type: 'boot' } }] }, 'x.json');
  assert.equal(scenario.machines[0]!.memoryBytes, 2 ** 28);
  assert.equal(scenario.machines[0]!.workload.type, 'boot');
  assert.equal(machineConfigFor(scenario, 0, 1).cacheCapacity, 40);
});

test('sizes may be numbers or texts with a binary unit', () => {
  for (const memoryBytes of [2 ** 32, '4GiB', '4096 MiB', '4294967296']) {
    const scenario = parseScenario({ name: 'x', machines: [{ policy: 'rcu', memoryBytes, workload: BOOT }] }, 'x.json');
    assert.equal(scenario.machines[0]!.memoryBytes, 2 ** 32);
  }
});

test('a problem names the file, the path, what was expected and what was found, in one line', () => {
  assert.throws(() => parseScenario({ name: 'x', machines: [{ policy: 'rcu', vcpus: 'four', workload: BOOT }] }, 'my.json'), {
    name: 'ScenarioError',
    message: 'my.json: machines[0].vcpus: expected a number, found "four"',
  });
  assert.deepEqual(problemsOf({ vcpus: 0 }), ['machines[0].vcpus: expected at least 1, found 0']);
  assert.deepEqual(problemsOf({ pageShift: 13 }), ['machines[0].pageShift: expected one of 12, 14, 16, found 13']);
  assert.deepEqual(problemsOf({ speed: 1 }), ['machines[0].speed: this key is not known here']);
  assert.deepEqual(problemsOf({}, { costs: { lunchNs: 1 } }), ['costs.lunchNs: this key is not known here']);
  assert.deepEqual(problemsOf({ tlbEntries: 3 }), ['machines[0].tlbEntries: expected a power of two up to 65536, found 3']);
  assert.deepEqual(problemsOf({ workload: { type: 'siesta' } }), [
    'machines[0].workload.type: expected one of boot, steady, balloon, ageing, churn, destroy, migration, protected-guests, recorded, found "siesta"',
  ]);
  for (const memoryBytes of ['3 bananas', '999999999999999TiB'])
    assert.match(problemsOf({ memoryBytes })[0]!, /^machines\[0\]\.memoryBytes: expected a size in bytes: .* found "/);
});

test('sizes that do not fit each other are refused', () => {
  assert.match(problemsOf({ memoryBytes: '8GiB', ipaBits: 32 })[0]!, /machines\[0\]\.ipaBits: expected enough/);
  assert.match(problemsOf({ memoryBytes: 5000 })[0]!, /machines\[0\]\.memoryBytes: expected a multiple of 4096/);
  assert.match(problemsOf({ hugetlb: 3 * 2 ** 20 })[0]!, /hugetlb: expected a power of two/);
  assert.match(problemsOf({ memoryBytes: '16MiB', workload: { type: 'boot' } })[0]!, /kernelBytes and initrdBytes together/);
  assert.match(
    problemsOf({ workload: { type: 'steady', params: { writePercent: 60, executePercent: 60 } } })[0]!,
    /at most 100, found 120/,
  );
});

test('text that is not JSON is refused in one line', () => {
  assert.throws(
    () => parseScenarioText('{"name": ', 'broken.json'),
    (error: Error) => /^broken\.json: not JSON: [^\n]+$/.test(error.message),
  );
});

test('every built-in scenario has its own name, machines and configurations that can be', () => {
  for (const [name, scenario] of builtinScenarios) {
    assert.equal(scenario.name, name);
    for (const { index } of plannedMachines(scenario)) assert.ok(machineConfigFor(scenario, index, 7).vcpus > 0);
  }
  const demo = plannedMachines(builtinScenarios.get('demo')!);
  assert.deepEqual(
    demo.map(({ spec }) => spec.policy),
    ['rcu', 'rcu', 'rwlock', 'rwlock'],
  );
  assert.equal(new Set(demo.map(({ startNs }) => startNs)).size, 4);
});

test('the published JSON Schema is the one that is validated with', () => {
  const published = JSON.parse(readFileSync(new URL('../../../docs/schema/scenario.schema.json', import.meta.url), 'utf8')) as unknown;
  assert.deepEqual(published, scenarioJsonSchema());
});

test('any value is a scenario or refused with lines that name a place', () => {
  const names = ['name', 'machines', 'policy', 'workload', 'type', 'params', 'memoryBytes', 'faults', 'costs'];
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.constantFrom('boot', '4GiB', null, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), tie('value'), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(value, (any) => {
      try {
        parseScenario(any, 'any.json');
      } catch (error) {
        assert.ok(error instanceof ScenarioError, String(error));
        assert.match(error.message, /^any\.json: [^\n]+$/);
      }
    }),
  );
});
