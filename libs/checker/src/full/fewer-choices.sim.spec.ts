import { test } from 'node:test';
import assert from 'node:assert/strict';
import { COMMAND } from '@s2lab/engine';
import { K, OPERATION } from '@s2lab/events';
import { POLICIES, policyByName } from '@s2lab/policies';
import { advance } from './choices.ts';
import { Exploration } from './exploration.ts';
import type { KnownCounterexample } from './fewer-choices.ts';
import type { FullBounds } from './full-bounds.ts';
import { fullScenario, settingOf } from './full-check.ts';
import { FullSearch } from './full-search.ts';
import type { FullReduction } from './reductions.ts';
import type { Setting } from './subject.ts';
import { choicesToLog } from './vmm-thread.ts';

const GUESTS: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: true };
const REDUCED: readonly FullReduction[] = ['local-steps', 'judge-once', 'tables', 'walkers', 'spent-state'];
const BYTES = 2 ** 29;

/** A state of a graph: how near its words say that the end of what switches logging on is, and where its steps lead; -1 = that ends with the step. */
interface Vertex {
  readonly told: number;
  readonly steps: number[];
}

function everyState(setting: Setting, policy: string): Vertex[] {
  const { subject, states, stale } = new Exploration(setting, policyByName(policy), REDUCED, []);
  const { machine } = subject;
  const rows = [states.present.slice()];
  const numbers = new Map([[rows[0]!.join(), 0]]);
  const graph: Vertex[] = [];
  for (const row of rows) {
    states.load(row, 0);
    const vertex: Vertex = { told: choicesToLog(subject), steps: [] };
    graph.push(vertex);
    const ready = Array.from({ length: subject.choices }, (_, choice) => choice).filter((choice) => subject.isReady(choice));
    for (const choice of ready) {
      states.load(row, 0);
      machine.columns.clear();
      advance(subject, choice, true);
      const { kind, arg, length } = machine.columns;
      const ends = kind.subarray(0, length).some((each, i) => each === K.operationEnded && arg[i] === OPERATION.dirtyLogOn);
      stale.fold(machine.columns, 0);
      states.note();
      const key = states.present.join();
      const to = numbers.get(key) ?? rows.push(states.present.slice()) - 1;
      numbers.set(key, to);
      vertex.steps.push(ends ? -1 : to);
    }
  }
  return graph;
}

/** Of each state: the fewest choices with which logging is switched on from there; Infinity = it is not. */
function distances(graph: readonly Vertex[]): number[] {
  const before: number[][] = graph.map(() => []);
  const distance = graph.map(() => Infinity);
  const queue: number[] = [];
  for (const [id, { steps }] of graph.entries()) {
    for (const to of steps) if (to >= 0) before[to]!.push(id);
    if (!steps.includes(-1)) continue;
    distance[id] = 1;
    queue.push(id);
  }
  for (const id of queue) {
    for (const from of before[id]!) {
      if (distance[from] !== Infinity) continue;
      distance[from] = distance[id]! + 1;
      queue.push(from);
    }
  }
  return distance;
}

/** Compares what the states of a scenario say with how it is. Returns how many choices the first state tells, and how many it takes. */
function compared(scenario: string, policy: string, bounds: FullBounds, config: Setting['config'] = {}): readonly [number, number] {
  const setting = settingOf(fullScenario(scenario), bounds);
  const graph = everyState({ ...setting, config: { ...setting.config, ...config } }, policy);
  const distance = distances(graph);
  const what = `${scenario}, ${policy}, ${JSON.stringify(config)}`;
  for (const [id, { told }] of graph.entries()) assert.ok(told <= distance[id]!, `${what}, state ${id}: ${told} of ${distance[id]}`);
  return [graph[0]!.told, distance[0]!];
}

for (const { name } of POLICIES) {
  test(`${name}: logging is nowhere switched on by fewer choices than is said, and from the first state by no more`, () => {
    const alone = { ...GUESTS, walkers: 0 };
    for (const scenario of ['collapse-protect', 'collapse-split']) {
      for (const bounds of [alone, { ...alone, memory: 'tso' }] satisfies FullBounds[]) {
        for (const config of [{}, { tlbRange: false }]) {
          const [told, takes] = compared(scenario, name, bounds, config);
          assert.equal(told, takes, `${scenario}, ${JSON.stringify(config)}`);
        }
      }
    }
    // Those of epochs are too many for a test; they were compared once.
    if (name !== 'epoch') assert.deepEqual(compared('collapse-split', name, GUESTS), [10, 10]);
  });
}

test('where a memslot is logged already, none ever is, or logging begins with all bits set, nothing is told', () => {
  const told = (setting: Setting): number => choicesToLog(new Exploration(setting, policyByName('rcu'), REDUCED, []).subject);
  const setting = settingOf(fullScenario('collapse-split'), GUESTS);
  assert.equal(told(setting), 10);
  assert.equal(told({ ...setting, config: { ...setting.config, initiallyAllSet: true } }), 0);
  const isLogOff = ([, { kind }]: Setting['prologue'][number]): boolean => kind === COMMAND.dirtyLogOff;
  assert.equal(told({ ...setting, prologue: setting.prologue.filter((each) => !isLogOff(each)) }), 0);
  for (const scenario of ['collapse-fault', 'two-collapses']) assert.equal(told(settingOf(fullScenario(scenario), GUESTS)), 0);
});

/** What a search breadth-first comes to that looks for no more choices than a known counterexample has, or for any. */
function breadthFirst(scenario: string, policy: string, known?: KnownCounterexample): FullSearch {
  const setting = settingOf(fullScenario(scenario), GUESTS);
  const search = new FullSearch(setting, policyByName(policy), scenario, { order: 'bfs', reduce: REDUCED, maxBytes: BYTES, known });
  while (search.advance(1000));
  return search;
}

for (const [scenario, policy] of [
  ['collapse-split', 'hyp-lock'],
  ['collapse-split', 'v6.1'],
  ['collapse-protect', 'refs'],
  ['collapse-protect', 'rcu'],
] as const) {
  test(`${scenario}, ${policy}: I12 is broken by as few choices as where every state is gone through, and by no fewer`, () => {
    const whole = breadthFirst(scenario, policy);
    const { invariant, schedule } = whole.counterexample()!;
    assert.equal(invariant, 'I12');
    const choices = schedule.length;
    const allRulesStates = 0;
    const found = breadthFirst(scenario, policy, { choices: choices + 4, invariant, allRulesStates });
    assert.deepEqual([found.ended, found.counterexample()!.schedule.length], ['counterexample', choices]);
    const fewer = breadthFirst(scenario, policy, { choices: choices - 1, invariant, allRulesStates });
    assert.deepEqual([fewer.ended, fewer.counterexample()], ['complete', undefined]);
    const any = breadthFirst(scenario, policy, { choices: choices - 1, invariant: null, allRulesStates });
    assert.deepEqual([any.ended, any.counterexample()], ['complete', undefined]);
    assert.ok(fewer.storedStates < any.storedStates && any.storedStates <= whole.storedStates);
  });
}
