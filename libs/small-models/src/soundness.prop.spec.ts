import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { everySchedule, orderlessKey } from './brute-force.ts';
import { DporSearch, StateSearch } from './index.ts';
import type { Model } from './index.ts';
import type { ToyStep } from './toy-program.ts';
import { ToyProgram } from './toy-program.ts';

const LOCATIONS = 3;

const value = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<ToyStep> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('load' as const, 'add' as const), at: fc.nat(LOCATIONS - 1) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('store' as const), at: fc.nat(LOCATIONS - 1), value }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('swap' as const), at: fc.nat(LOCATIONS - 1), from: value, to: value }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('await' as const), at: fc.nat(LOCATIONS - 1), value }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('expect' as const), at: fc.nat(LOCATIONS - 1), value }) },
);
/** Two or three processes of which some have the same program. */
const programs = fc
  .tuple(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 2 }), fc.boolean())
  .map(([different, twice]) => (twice ? [different[0]!, ...different] : different));

function searched(build: () => Model, order: 'bfs' | 'dfs', symmetry: boolean, partialOrder: boolean): StateSearch {
  const search = new StateSearch(build(), { order, symmetry, partialOrder, maxBytes: 2 ** 28 });
  while (search.advance(1000));
  return search;
}

test('every search of a random program agrees with following every schedule', () => {
  fc.assert(
    fc.property(programs, (steps) => {
      const build = (): ToyProgram => new ToyProgram(LOCATIONS, steps);
      const key = orderlessKey(build());
      const possible = everySchedule(build(), key);
      const wrong = possible.assertionFails || possible.deadlocks;
      for (const order of ['bfs', 'dfs'] as const) {
        for (const symmetry of [false, true]) {
          for (const partialOrder of [false, true]) {
            const search = searched(build, order, symmetry, partialOrder);
            assert.equal(search.ended, wrong ? 'counterexample' : 'complete');
            if (wrong) continue;
            assert.deepEqual(new Set(search.finalStates.map((id) => key(search.stateOf(id)))), possible.ends);
            if (!partialOrder) assert.equal(search.reachedStates, possible.states);
          }
        }
      }
    }),
    { numRuns: 1500 },
  );
});

test('the partial-order reduction runs each class of executions of a random program once, and no other', () => {
  fc.assert(
    fc.property(programs, (steps) => {
      const build = (): ToyProgram => new ToyProgram(LOCATIONS, steps);
      const key = orderlessKey(build());
      const possible = everySchedule(build(), key);
      const search = new DporSearch(build());
      const ends = new Set<string>();
      search.onEnd = (state) => void ends.add(key(state));
      while (search.advance(1000));
      assert.equal(search.blocked, 0);
      if (possible.assertionFails || possible.deadlocks) return assert.equal(search.ended, 'counterexample');
      assert.equal(search.ended, 'complete');
      assert.deepEqual(ends, possible.ends);
      assert.equal(search.executions, possible.classes);
    }),
    { numRuns: 1500 },
  );
});

test('a counterexample, replayed, ends in the defect that it shows', () => {
  fc.assert(
    fc.property(programs, fc.constantFrom('bfs', 'dfs', 'dpor'), fc.boolean(), (steps, strategy, reduced) => {
      const model = new ToyProgram(LOCATIONS, steps);
      const build = (): ToyProgram => new ToyProgram(LOCATIONS, steps);
      const search = strategy === 'dpor' ? new DporSearch(build()) : searched(build, strategy, reduced, reduced);
      while (search.advance(1000));
      const found = search.counterexample();
      if (found === undefined) return;
      const held = found.schedule.map((p) => model.enabled(p) && model.step(p));
      const last = found.kind === 'assertion' ? held.pop() : true;
      assert.ok(held.every(Boolean));
      if (found.kind === 'assertion') assert.equal(last, false);
      else assert.ok(steps.every((_, p) => !model.enabled(p)) && steps.some((_, p) => !model.done(p)));
    }),
    { numRuns: 1500 },
  );
});
