import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullCounterexample } from './full-counterexample.ts';
import { heedsOneRule, isFewest } from './fewer-choices.ts';

function broken(invariant: string | null): FullCounterexample {
  return { invariant } as FullCounterexample;
}

test('a search that heeds one rule shows the fewest choices of that rule alone; another rule is then to be searched for', () => {
  const known = { choices: 40, invariant: 'I12', allRulesStates: 1000 };
  assert.equal(isFewest(broken('I12'), known, 5000), true);
  assert.equal(isFewest(broken('I1'), known, 5000), false);
  assert.equal(isFewest(broken(null), known, 1001), false);
  // Up to there all rules were heeded.
  assert.equal(isFewest(broken('I1'), known, 1000), true);
});

test('where every rule may be broken by the next step, all rules are heeded whatever is known', () => {
  for (const invariant of ['I1', 'I7', null]) {
    const known = { choices: 40, invariant, allRulesStates: 0 };
    assert.equal(heedsOneRule(known, 10 ** 6), false);
    assert.equal(isFewest(broken('I12'), known, 10 ** 6), true);
  }
});
