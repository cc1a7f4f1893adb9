import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyByName } from '@s2lab/policies';
import { judge } from './figure.ts';
import { parallelFaults, parallelFaultsExperiment } from './parallel-faults.ts';

const BASE = policyByName('v6.1');
const SERIES = policyByName('rcu');

test('the small form of the parallel-fault table reproduces every figure', () => {
  for (const figure of parallelFaultsExperiment.run('small')) assert.notEqual(judge(figure), 'miss', `${figure.name}: ${figure.simulated}`);
});

test('speed-ups of parallel faults do not depend on how much memory each vCPU has', () => {
  for (const vcpus of [2, 12]) {
    const [small, large] = [
      { blocks: 8, dirtyBlocks: 1 },
      { blocks: 32, dirtyBlocks: 3 },
    ].map((scale) => {
      const [base, series] = [parallelFaults(BASE, vcpus, scale), parallelFaults(SERIES, vcpus, scale)];
      return { populate: base.populateNs / series.populateNs, dirty: base.dirtyNs / series.dirtyNs };
    });
    for (const phase of ['populate', 'dirty'] as const)
      assert.ok(Math.abs(small![phase] / large![phase] - 1) < 0.05, `${phase}, ${vcpus} vCPUs: ${small![phase]} and ${large![phase]}`);
  }
});

test('the same run takes the same virtual time', () => {
  const scale = { blocks: 2, dirtyBlocks: 1 };
  assert.deepEqual(parallelFaults(SERIES, 5, scale), parallelFaults(SERIES, 5, scale));
});
