import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySchedule, orderlessClass, orderlessKey } from './brute-force.ts';
import { DporSearch, smallScenario, SMALL_SCENARIOS, StateSearch } from './index.ts';
import type { Model } from './index.ts';

type Size = readonly [walkers: number, collapsers: number, entries: number, mappers?: number];

function build(name: string, [walkers, collapsers, entries, mappers]: Size): Model {
  const scenario = smallScenario(name)!;
  return scenario.build({ walkers, collapsers, entries, mappers: mappers ?? (scenario.mappers || 0) });
}

function search(name: string, size: Size, symmetry: boolean, partialOrder: boolean, order: 'bfs' | 'dfs' = 'bfs'): StateSearch {
  const found = new StateSearch(build(name, size), { order, symmetry, partialOrder, maxBytes: 2 ** 30 });
  while (found.advance(100_000));
  return found;
}

/** Scenario, size, states of the plain search, and with symmetry, as other tools count them. */
const TABLE: readonly (readonly [name: string, size: Size, plain: number, symmetric?: number])[] = [
  ['S2', [2, 1, 1], 289, 166],
  ['S2', [3, 1, 1], 1885, 470],
  ['S2', [2, 2, 1], 1385, 435],
  ['S2', [2, 1, 2], 2055, 1103],
  ['S2', [3, 1, 2], 24_799, 5141],
  ['S2', [3, 2, 2], 261_517, 28_133],
  ['S2', [4, 2, 2], 3_182_765, 106_148],
  ['S3', [2, 1, 1], 177],
  ['S3', [3, 1, 1], 933],
  ['S3', [2, 2, 1], 846],
  ['S3', [2, 1, 1, 1], 504],
  ['S3', [3, 1, 2], 9467],
  ['S3', [2, 2, 2], 11_405],
  ['S3', [3, 2, 2], 114_125],
  ['S3', [4, 2, 2], 1_118_083],
  ['S4', [2, 1, 1], 65, 43],
  ['S4', [3, 1, 1], 237, 79],
  ['S4', [2, 2, 1], 137, 59],
  ['S4', [3, 2, 2], 5276, 897],
  ['S4', [4, 2, 2], 34_742, 2145],
  ['S3A', [2, 1, 1], 190],
  ['S3A', [3, 1, 2], 11_020],
  ['S5R', [2, 1, 1], 607],
  ['S5R', [3, 1, 2], 52_645],
  ['S5T', [2, 1, 1], 364],
  ['S5T', [3, 1, 2], 28_659],
];

test('the plain search stores exactly the states that other tools count', () => {
  for (const [name, size, plain] of TABLE) {
    const { ended, storedStates } = search(name, size, false, false);
    assert.deepEqual({ ended, storedStates }, { ended: 'complete', storedStates: plain }, `${name} (${size.join()})`);
  }
});

test('with symmetry the search stores as many as other tools with symmetry, and these stand for all', () => {
  for (const [name, size, plain, symmetric] of TABLE) {
    const { storedStates, reachedStates } = search(name, size, true, false);
    if (symmetric !== undefined) assert.equal(storedStates, symmetric, `${name} (${size.join()})`);
    assert.equal(reachedStates, plain, `${name} (${size.join()})`);
  }
});

test('S5, whose search ends where it fails, has stored as many states by then as other tools that go the same way', () => {
  // SPIN goes depth-first, the last process first; rumur breadth-first, with symmetry.
  const { ended, storedStates } = search('S5', [2, 1, 1], false, false, 'dfs');
  assert.deepEqual({ ended, storedStates }, { ended: 'counterexample', storedStates: 73 });
  assert.equal(search('S5', [2, 1, 1], true, false).storedStates, 134);
});

test('depth-first stores the same states', () => {
  for (const [name, size, plain] of TABLE.slice(0, 5)) assert.equal(search(name, size, false, false, 'dfs').storedStates, plain, name);
});

test('all reductions together store fewer than 50,000 states of S2 with four walkers, two collapsers and two entries', () => {
  const { ended, storedStates } = search('S2', [4, 2, 2], true, true);
  assert.equal(ended, 'complete');
  assert.ok(storedStates < 50_000, `${storedStates} states`);
});

const SIZES: readonly Size[] = [
  [1, 1, 1],
  [2, 1, 1],
  [1, 2, 1],
  [2, 2, 1],
  [2, 1, 2],
  [2, 1, 1, 1],
  [2, 1, 2, 1],
];

test('on every small scenario each reduction gives the verdict and the final states of the plain search', () => {
  for (const { name, mappers } of SMALL_SCENARIOS) {
    for (const size of SIZES) {
      if (size[3] !== undefined && mappers === false) continue;
      const plain = search(name, size, false, false);
      const key = orderlessKey(build(name, size));
      const ends = new Set(plain.finalStates.map((id) => key(plain.stateOf(id))));
      for (const [symmetry, partialOrder] of [
        [true, false],
        [false, true],
        [true, true],
      ] as const) {
        for (const order of ['bfs', 'dfs'] as const) {
          const reduced = search(name, size, symmetry, partialOrder, order);
          const what = `${name} (${size.join()}) ${order} symmetry ${symmetry} partial order ${partialOrder}`;
          assert.equal(reduced.ended, plain.ended, what);
          if (plain.ended === 'complete') assert.deepEqual(new Set(reduced.finalStates.map((id) => key(reduced.stateOf(id)))), ends, what);
        }
      }
    }
  }
});

test('the partial-order reduction gives the verdict and the final states of the plain search, each class of executions once', () => {
  for (const { name, mappers } of SMALL_SCENARIOS) {
    for (const size of SIZES.slice(0, 2).concat([
      [1, 2, 1],
      [2, 1, 1, 1],
    ])) {
      if (size[3] !== undefined && mappers === false) continue;
      if (name.startsWith('S2') && size[3] !== undefined && name !== 'S2N') continue; // hundreds of thousands
      const key = orderlessKey(build(name, size));
      const possible = everySchedule(build(name, size), key);
      const dpor = new DporSearch(build(name, size));
      const ends = new Set<string>();
      dpor.onEnd = (state) => void ends.add(key(state));
      while (dpor.advance(1000));
      const what = `${name} (${size.join()})`;
      assert.equal(dpor.blocked, 0, what);
      assert.equal(dpor.ended, possible.assertionFails || possible.deadlocks ? 'counterexample' : 'complete', what);
      if (dpor.ended === 'counterexample') continue;
      assert.equal(dpor.executions, possible.classes, what);
      assert.deepEqual(ends, possible.ends, what);
    }
  }
});

test('the partial-order reduction runs exactly as many executions as there are inequivalent ones, none of them blocked', () => {
  const known: readonly (readonly [string, Size, number])[] = [
    ['S2', [2, 1, 1], 245],
    ['S2', [3, 1, 1], 13_080],
    ['S3', [2, 1, 1], 16],
    ['S3', [3, 1, 1], 64],
    ['S4', [2, 1, 1], 14],
  ];
  for (const [name, size, executions] of known) {
    const dpor = new DporSearch(build(name, size));
    while (dpor.advance(1000));
    assert.deepEqual([dpor.ended, dpor.executions, dpor.blocked], ['complete', executions, 0], `${name} (${size.join()})`);
  }
});

test('with symmetry the partial-order reduction runs every class, but for which walker or collapser is which, and none of them twice', () => {
  const known: readonly (readonly [string, Size, number])[] = [
    ['S2', [2, 1, 1], 124],
    ['S2', [2, 2, 1], 496],
    ['S4', [2, 1, 1], 7],
    ['S4', [3, 1, 1], 36],
  ];
  for (const [name, size, executions] of known) {
    const run = (symmetry: boolean): { search: DporSearch; met: Set<string> } => {
      const model = build(name, size);
      const search = new DporSearch(model, symmetry);
      const met = new Set<string>();
      search.onEnd = (_, steps) => void met.add(orderlessClass(steps, model.identical));
      while (search.advance(1000));
      return { search, met };
    };
    const { search, met } = run(true);
    const what = `${name} (${size.join()})`;
    assert.deepEqual([search.ended, search.executions, search.blocked, met.size], ['complete', executions, 0, executions], what);
    assert.deepEqual(met, run(false).met, what);
  }
});

test('defective designs fail, and breadth-first finds the fewest steps', () => {
  const known: readonly (readonly [string, Size, 'assertion' | 'deadlock', number])[] = [
    ['S1', [2, 1, 1], 'assertion', 9],
    ['S2N', [2, 1, 1], 'assertion', 15],
    ['S2N', [3, 1, 1], 'assertion', 15],
    ['S5', [2, 1, 1], 'assertion', 9],
    ['S2Z', [2, 1, 1], 'assertion', 11],
    ['S3G', [2, 1, 1], 'assertion', 8],
    ['S4L', [2, 1, 1], 'assertion', 9],
    ['S5R', [2, 2, 1], 'deadlock', 16],
    ['S5T', [2, 2, 1], 'deadlock', 10],
  ];
  for (const [name, size, kind, steps] of known) {
    for (const symmetry of [false, true]) {
      const found = search(name, size, symmetry, false).counterexample();
      assert.deepEqual([found?.kind, found?.schedule.length], [kind, steps], name);
    }
    const dpor = new DporSearch(build(name, size));
    while (dpor.advance(1000));
    assert.equal(dpor.ended, 'counterexample', name);
  }
});
