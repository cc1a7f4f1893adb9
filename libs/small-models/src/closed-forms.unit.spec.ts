import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DporSearch, StateSearch } from './index.ts';
import type { ToyStep } from './toy-program.ts';
import { ToyProgram } from './toy-program.ts';

/** Binomial coefficient. */
function choose(n: number, k: number): number {
  let value = 1;
  for (let i = 1; i <= k; i += 1) value = (value * (n - k + i)) / i;
  return value;
}

/** Interleavings of `processes` sequences of `steps` each. */
function multinomial(processes: number, steps: number): number {
  let value = 1;
  for (let p = 1; p <= processes; p += 1) value *= choose(p * steps, steps);
  return value;
}

function executions(model: ToyProgram): number {
  const search = new DporSearch(model);
  while (search.advance(1000));
  assert.equal(search.ended, 'complete');
  assert.equal(search.blocked, 0);
  return search.executions;
}

function stored(model: ToyProgram, symmetry: boolean, partialOrder: boolean): StateSearch {
  const search = new StateSearch(model, { order: 'bfs', symmetry, partialOrder, maxBytes: 2 ** 28 });
  while (search.advance(1000));
  return search;
}

const add = (at: number): ToyStep => ({ op: 'add', at });

test('steps that all conflict have one class an interleaving: multinomials', () => {
  for (const [processes, steps] of [
    [2, 1],
    [2, 4],
    [3, 2],
    [3, 3],
    [4, 2],
  ] as const) {
    const model = new ToyProgram(
      1,
      Array.from({ length: processes }, () => Array.from({ length: steps }, () => add(0))),
    );
    assert.equal(executions(model), multinomial(processes, steps), `${processes} × ${steps}`);
  }
});

test('independent processes have one execution, all states of a grid, and one path with partial-order reduction', () => {
  for (const [processes, steps] of [
    [2, 3],
    [3, 4],
    [4, 5],
    [5, 11], // more values of the shared locations than the table of steps keeps
  ] as const) {
    const build = (): ToyProgram =>
      new ToyProgram(
        processes,
        Array.from({ length: processes }, (_, p) => Array.from({ length: steps }, () => add(p))),
      );
    assert.equal(executions(build()), 1);
    const plain = stored(build(), false, false);
    assert.equal(plain.storedStates, (steps + 1) ** processes);
    assert.equal(plain.transitions, processes * steps * (steps + 1) ** (processes - 1));
    assert.equal(stored(build(), false, true).storedStates, processes * steps + 1);
  }
});

test('identical processes without a meeting point are stored as multisets', () => {
  const program = [add(0), add(0), add(0)].map(({ at }): ToyStep => ({ op: 'load', at }));
  for (const processes of [2, 3, 5]) {
    const search = stored(new ToyProgram(1, Array<ToyStep[]>(processes).fill(program)), true, false);
    assert.equal(search.storedStates, choose(processes + 3, 3));
    assert.equal(search.reachedStates, 4 ** processes);
  }
});

test('readers around one write: each is before it or after it', () => {
  for (const readers of [1, 2, 3, 5]) {
    const read: ToyStep[][] = Array.from({ length: readers }, () => [{ op: 'load', at: 0 }]);
    assert.equal(executions(new ToyProgram(1, [...read, [{ op: 'store', at: 0, value: 1 }]])), 2 ** readers);
  }
});

test('a process that spins alone does not put off the others for ever', () => {
  const spin: ToyStep[] = [
    { op: 'load', at: 0 },
    { op: 'again', at: 0 },
  ];
  const wrong: ToyStep[] = [add(1), { op: 'expect', at: 1, value: 2 }];
  for (const order of ['bfs', 'dfs'] as const) {
    for (const programs of [
      [spin, wrong],
      [wrong, spin],
      [spin, spin, wrong],
    ]) {
      const search = new StateSearch(new ToyProgram(2, programs), { order, symmetry: true, partialOrder: true, maxBytes: 2 ** 20 });
      while (search.advance(1000));
      assert.equal(search.counterexample()?.kind, 'assertion');
    }
  }
});

test('an execution that never ends is given up, and so told', () => {
  const search = new DporSearch(new ToyProgram(1, [[{ op: 'again', at: 0 }]]));
  while (search.advance(1000));
  assert.equal(search.ended, 'depth');
});
