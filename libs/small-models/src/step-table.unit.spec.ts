import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SMALL_SCENARIOS, StateSearch } from './index.ts';
import type { Model, SmallScenario } from './index.ts';
import { Packing } from './packing.ts';
import { DONE, FAILS, STEPS, StepTable, WAITS } from './step-table.ts';

/** Enough for more values of processes' own fields than the table has room for at first. */
const BOUNDS = { walkers: 2, collapsers: 1, entries: 2 };

function build({ mappers, build: of }: SmallScenario): Model {
  return of({ ...BOUNDS, mappers: mappers === false ? 0 : 1 });
}

/** What a model in `state` says about `process`: outcome, accesses, accesses from there on, and the state after a step. */
function asked(model: Model, state: Uint8Array, process: number): number[] {
  model.state.set(state);
  const may = [model.mayRead(process) & ~model.neverRead, model.mayWrite(process) & ~model.neverRead];
  model.reads = 0;
  model.writes = 0;
  const outcome = model.enabled(process) ? (model.step(process) ? STEPS : FAILS) : model.done(process) ? DONE : WAITS;
  return [outcome, model.reads, model.writes, ...may, ...(outcome === STEPS ? model.state : [])];
}

test('in every reachable state of every scenario the table says what the model says', () => {
  for (const scenario of SMALL_SCENARIOS) {
    const search = new StateSearch(build(scenario), { order: 'bfs', symmetry: false, partialOrder: false, maxBytes: 2 ** 28 });
    while (search.advance(10_000));
    const model = build(scenario);
    const packing = new Packing(model);
    const steps = new StepTable(model, packing);
    const processes = model.fields.processes.length;
    const row = new Uint32Array(packing.words);
    const next = new Uint32Array(packing.words * processes);
    for (let id = 0; id < search.storedStates; id += 1) {
      const state = search.stateOf(id);
      model.state.set(state);
      packing.pack(row);
      steps.stepAll(row, 0, next, 0, true);
      for (let p = 0; p < processes; p += 1) {
        const outcome = steps.outcome(p);
        packing.unpack(next, p * packing.words);
        const after = outcome === STEPS ? model.state : [];
        const said = [outcome, steps.reads(p), steps.writes(p), steps.mayRead(p), steps.mayWrite(p), ...after];
        assert.deepEqual(said, asked(model, state, p), `${scenario.name}: process ${p} in state ${id}`);
      }
    }
  }
});
