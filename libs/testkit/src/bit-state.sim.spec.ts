import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullReport } from '@s2lab/checker';
import { FullCheck } from '@s2lab/checker';
import { policyByName } from '@s2lab/policies';
import { UNLIMITED } from './full-checks.ts';

function checked(policy: string, bitStateBytes?: number): FullReport {
  const check = new FullCheck({
    scenario: 'two-collapses',
    policy: policyByName(policy),
    bounds: { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false },
    order: 'dfs',
    ...UNLIMITED,
    ...(bitStateBytes === undefined ? {} : { bitStateBytes }),
  });
  while (check.advance(1000));
  return check.report();
}

test('bits for states: with room for all, as many are met as an exact search stores, but the report says lossy and never safe', () => {
  const exact = checked('rcu');
  const bits = checked('rcu', 2 ** 20);
  assert.deepEqual([exact.verdict, bits.verdict], ['safe', 'unfinished']);
  assert.equal(bits.storedStates, exact.storedStates);
  // Who sleeps is kept with a state; bits keep nothing.
  assert.ok(bits.transitions > exact.transitions);
  assert.deepEqual(
    [exact, bits].map(({ reductions }) => reductions.includes('sleep-sets')),
    [true, false],
  );
  assert.match(bits.unfinishedBecause!, /nothing was found, but bits are lossy: a state may have been taken for another/);
  assert.ok(bits.reductions.includes('bit-state'));
});

test('bits for states: with too few bits states are missed, and the report says how full they are', () => {
  const { verdict, storedStates, unfinishedBecause } = checked('rcu', 64);
  assert.ok(storedStates < checked('rcu').storedStates);
  assert.equal(verdict, 'unfinished');
  assert.match(unfinishedBecause!, /states in 512 bits, \d+\.\d % of them set/);
});

test('bits for states: what is found is wrong, and shown by the fewest choices', () => {
  for (const [policy, invariant] of [
    ['refs-naive', 'I7'],
    ['eager', 'I1'],
  ] as const) {
    const [exact, bits] = [checked(policy), checked(policy, 2 ** 16)];
    assert.deepEqual([bits.verdict, bits.counterexample!.invariant, bits.shortest], ['violated', invariant, true]);
    assert.equal(bits.counterexample!.schedule.length, exact.counterexample!.schedule.length);
  }
});
