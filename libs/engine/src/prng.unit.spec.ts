import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Prng } from './index.ts';

test('the same seed gives the same numbers, and a copied state goes on where the original stood', () => {
  const first = new Prng(42);
  const draws = Array.from({ length: 5 }, () => first.next());
  assert.deepEqual(
    Array.from(
      { length: 5 },
      (
        (prng) => () =>
          prng.next()
      )(new Prng(42)),
    ),
    draws,
  );
  const copy = new Prng(0);
  copy.state.set(first.state);
  assert.equal(copy.next(), first.next());
});

test('numbers below a bound stay below it and reach both ends', () => {
  const prng = new Prng(1);
  const seen = new Set(Array.from({ length: 2000 }, () => prng.below(7)));
  assert.deepEqual(
    [...seen].toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6],
  );
});
