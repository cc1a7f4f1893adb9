import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { everySchedule, orderlessClass, orderlessKey } from './brute-force.ts';
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

/** Two or three processes with one program, and at most one with another. */
const copies = fc
  .tuple(fc.array(step, { minLength: 1, maxLength: 4 }), fc.integer({ min: 2, max: 3 }), fc.array(step, { maxLength: 4 }))
  .map(([same, count, other]) => {
    const short = count === 3 ? same.slice(0, 3) : same;
    return [...Array.from({ length: count }, () => short), ...(other.length > 0 ? [other] : [])];
  });

const READS_THEN_WRITES: ToyStep[] = [
  { op: 'load', at: 0 },
  { op: 'load', at: 1 },
  { op: 'store', at: 0, value: 0 },
];
const SWAPS_THEN_READS: ToyStep[] = [
  { op: 'swap', at: 0, from: 0, to: 1 },
  { op: 'load', at: 2 },
];
const READS_TWICE: ToyStep[] = [
  { op: 'load', at: 0 },
  { op: 'load', at: 0 },
  { op: 'store', at: 0, value: 0 },
  { op: 'store', at: 2, value: 0 },
];
/** In each of them a class was lost once: a reversal was dropped, a process that slept was run, or what a like one had in hand was taken for explored. */
const LOST: readonly ToyStep[][][] = [
  [READS_THEN_WRITES, READS_THEN_WRITES, READS_THEN_WRITES],
  [
    SWAPS_THEN_READS,
    SWAPS_THEN_READS,
    SWAPS_THEN_READS,
    [
      { op: 'load', at: 0 },
      { op: 'store', at: 2, value: 0 },
    ],
  ],
  [READS_TWICE, READS_TWICE, [{ op: 'load', at: 2 }]],
];

test('with symmetry the partial-order reduction runs every class of executions of a random program, but for which of identical processes is which', () => {
  fc.assert(
    fc.property(copies, (steps) => {
      const run = (symmetry: boolean): { search: DporSearch; classes: Set<string> } => {
        const model = new ToyProgram(LOCATIONS, steps);
        const search = new DporSearch(model, symmetry);
        const classes = new Set<string>();
        search.onEnd = (_, made) => void classes.add(orderlessClass(made, model.identical));
        while (search.advance(1000));
        return { search, classes };
      };
      const [plain, symmetric] = [run(false), run(true)];
      assert.equal(symmetric.search.ended, plain.search.ended);
      if (plain.search.ended !== 'complete') return;
      assert.deepEqual(symmetric.classes, plain.classes);
      assert.equal(symmetric.search.executions, plain.classes.size);
    }),
    { numRuns: 300, examples: LOST.map((programs): [ToyStep[][]] => [programs]) },
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
