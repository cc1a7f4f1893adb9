import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Tournament } from './index.ts';

test('the first clock is always the smallest, and the lowest index among equals', () => {
  const change = fc.tuple(fc.nat(30), fc.oneof(fc.nat(20), fc.constant(Infinity)));
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 31 }), fc.array(change, { maxLength: 40 }), (initial, changes) => {
      const clocks = Float64Array.from(initial);
      const order = new Tournament(clocks);
      for (const [i, value] of [[0, clocks[0]!] as const, ...changes]) {
        const at = i % clocks.length;
        clocks[at] = value;
        order.update(at);
        assert.equal(order.first, clocks.indexOf(Math.min(...clocks)));
      }
    }),
  );
});
