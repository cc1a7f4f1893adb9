import { test } from 'node:test';
import assert from 'node:assert/strict';
import type {
  Edge,
  FullBounds,
  FullCounterexample,
  FullOrder,
  FullReduction,
  FullReport,
  FullSearchOptions,
  SamplingOptions,
  StateGraph,
} from '@s2lab/checker';
import { FULL_REDUCTIONS, FULL_SCENARIOS, FullCheck, FullSearch, Livelocks, Sampling, sampling, shrink } from '@s2lab/checker';
import type { Machine, ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';
import { K, kindName, UNLINK_CAUSE } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { MachineView } from '@s2lab/timeline';
import { UNLIMITED, whereRefused } from './full-checks.ts';

const SMALL: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
/** Two actors with the same to do. */
const TWINS: FullBounds = { ...SMALL, walkers: 0, collapsers: 2 };
const GUESTS: FullBounds = { ...SMALL, hardware: true };
const BY_PREEMPTIONS = { ...UNLIMITED, order: 'preemptions' } as const;

function searched(scenario: string, policy: ReclaimPolicy, bounds: FullBounds, options: Partial<FullSearchOptions> = {}): FullSearch {
  const { build } = FULL_SCENARIOS.find(({ name }) => name === scenario)!;
  const search = new FullSearch(build(bounds), policy, scenario, { order: 'bfs', reduce: FULL_REDUCTIONS, maxBytes: 2 ** 29, ...options });
  while (search.advance(1000));
  return search;
}

function finalStates(search: FullSearch): Set<string> {
  return new Set(search.finalStates.map((id) => search.describeUnnamed(id)));
}

/** What a search found, to compare it with another. */
function outcome(search: FullSearch): object {
  return { ended: search.ended, invariant: search.counterexample()?.invariant, kind: search.counterexample()?.kind };
}

const COMPARED: readonly (readonly [scenario: string, policies: readonly string[], bounds: FullBounds])[] = [
  ['two-collapses', ['rwlock', 'hyp-lock', 'refs-naive', 'refs', 'eager', 'v6.1'], SMALL],
  ['unmap-fault', ['rcu', 'epoch', 'hazard', 'rwlock', 'hyp-lock'], { ...SMALL, walkers: 0 }],
  ['collapse-split', ['rcu', 'rwlock', 'hyp-lock'], { ...SMALL, walkers: 0 }],
  ['destroy-fault', ['rcu', 'rwlock', 'refs', 'v6.1'], { ...SMALL, walkers: 0 }],
  ['collapse-young', ['rwlock', 'refs', 'eager'], { ...SMALL, walkers: 0 }],
  ['collapse-protect', ['hyp-lock', 'rwlock', 'rcu', 'hazard', 'epoch'], { ...GUESTS, walkers: 0 }],
  ['collapse-split', ['v6.1'], { ...GUESTS, walkers: 0 }],
  ['unmap-fault', ['refs', 'v6.1'], { ...GUESTS, walkers: 0 }],
  ['two-collapses', ['rcu', 'rwlock', 'refs-naive', 'refs', 'eager', 'v6.1'], TWINS],
  ['reclaim-fault', ['rwlock', 'hyp-lock', 'refs'], SMALL],
  ['reclaim-fault-lazy', ['rwlock', 'hyp-lock', 'epoch'], SMALL],
];

for (const [scenario, policies, bounds] of COMPARED) {
  for (const name of policies) {
    test(`${scenario}, ${name}: what is left out changes neither the verdict nor the final states`, () => {
      const policy = policyByName(name);
      const plain = searched(scenario, policy, bounds, { reduce: [] });
      for (const reduce of bounds === TWINS ? [...FULL_REDUCTIONS.map((each) => [each]), FULL_REDUCTIONS] : [FULL_REDUCTIONS]) {
        const reduced = searched(scenario, policy, bounds, { reduce });
        assert.deepEqual(outcome(reduced), outcome(plain), reduce.join());
        assert.ok(reduced.storedStates <= plain.storedStates);
        if (plain.ended === 'complete') assert.deepEqual(finalStates(reduced), finalStates(plain), reduce.join());
        if (reduce === FULL_REDUCTIONS) assert.ok(reduced.storedStates < plain.storedStates);
      }
      for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
        const other = searched(scenario, policy, bounds, { order });
        assert.deepEqual(other.ended, plain.ended);
        if (plain.ended === 'complete') assert.deepEqual(finalStates(other), finalStates(plain));
      }
      sleepsSoundly((reduce) => searched(scenario, policy, bounds, { order: 'dfs', reduce }), plain);
    });
  }
}

/**
 * With sleep sets and nothing else a search comes to the very states that a plain one comes to. With local steps it need not: how many of those are taken at once
 * depends on who else still seems to have a table in hand, and so on the order of steps that commute.
 */
function sleepsSoundly(search: (reduce: readonly FullReduction[]) => FullSearch, plain: FullSearch): void {
  for (const others of [[], ['local-steps'], ['local-steps', 'judge-once']] satisfies FullReduction[][]) {
    const all = others.length === 0 ? plain : search(others);
    const asleep = search([...others, 'sleep-sets']);
    assert.equal(asleep.ended, all.ended);
    if (all.ended !== 'complete') continue;
    assert.deepEqual(finalStates(asleep), finalStates(all), others.join());
    if (others.length === 0) assert.deepEqual(allStates(asleep), allStates(all));
    assert.ok(asleep.transitions <= all.transitions);
  }
}

function allStates(search: FullSearch): Set<string> {
  return new Set(Array.from({ length: search.storedStates }, (_, id) => search.describe(id)));
}

test('sleep sets leave a sixth of the steps out, and more', () => {
  const awake = FULL_REDUCTIONS.filter((each) => each !== 'sleep-sets');
  for (const policy of ['rcu', 'refs', 'epoch', 'hazard']) {
    const count = (reduce: readonly FullReduction[]): number =>
      searched('two-collapses', policyByName(policy), SMALL, { order: 'dfs', reduce }).transitions;
    assert.ok(count(FULL_REDUCTIONS) < 0.85 * count(awake), policy);
  }
});

test('refs-naive fails by its race, and the log of it is judged by the verifier and folded by the timeline', () => {
  const search = searched('collapse-fault', policyByName('refs-naive'), GUESTS);
  const found = search.counterexample()!;
  assert.deepEqual([found.kind, found.invariant], ['violation', 'I7']);
  assert.match(found.because, /took a reference on table 1 that nobody held any more/);
  const verifier = new Verifier();
  verifier.fold(found.frame);
  const verdict = verifier.finish();
  assert.deepEqual([verdict.verdict, Object.keys(verdict.counts)], ['violated', ['I7']]);
  // The violation is the last thing that happens: nothing of the log could be left out at its end.
  assert.ok(verdict.violations[0]!.seq >= found.frame.rows.length - 3);
  const view = new MachineView();
  view.fold(found.frame.rows, 0);
  assert.equal(view.nextSeq, found.frame.rows.length);
});

test('eager lets a walker touch a page that was freed; with walkers in read-side sections and deferred frees it holds', () => {
  const eager = policyByName('eager');
  assert.equal(searched('two-collapses', eager, SMALL).counterexample()?.invariant, 'I1');
  const { guardsWalks, enter, exit, defersFrees, mayReclaim } = policyByName('rcu');
  const inSections = { ...eager, guardsWalks, enter, exit, defersFrees, mayReclaim };
  assert.equal(searched('two-collapses', inSections, SMALL).ended, 'complete');
});

test('a check under most preemptions says how many it has seen, and never that all is safe', () => {
  const options = { ...BY_PREEMPTIONS, scenario: 'two-collapses', policy: policyByName('rcu'), bounds: SMALL };
  const check = new FullCheck({ ...options, maxStates: 500 });
  while (check.advance(100));
  const report = check.report();
  assert.equal(report.verdict, 'unfinished');
  assert.ok(report.bounds.preemptions! >= 0);
  const bounded = new FullCheck({ ...options, maxPreemptions: 1 });
  while (bounded.advance(10));
  assert.deepEqual([bounded.report().verdict, bounded.report().bounds.preemptions], ['safe', 1]);
});

test('where the search for the fewest choices meets a limit, what was found first is shown without what it can do without', () => {
  const policy = policyByName('eager');
  for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
    const found = searched('collapse-split', policy, SMALL, { order }).counterexample()!;
    const options = { scenario: 'collapse-split', policy, bounds: SMALL, order, reduce: true, except: [], liveness: false } as const;
    const check = new FullCheck({ ...options, maxBytes: 2 ** 29, maxStates: 40, firstStates: 5000, maxPreemptions: Infinity });
    while (check.advance(1000));
    const { verdict, shortest, counterexample, counterexampleSteps } = check.report();
    assert.deepEqual([verdict, shortest, counterexample!.invariant], ['violated', false, found.invariant]);
    assert.ok(
      counterexample!.schedule.length < found.schedule.length,
      `${counterexample!.schedule.length} of ${found.schedule.length} choices`,
    );
    assert.ok(counterexampleSteps! < found.steps);
    const verifier = new Verifier();
    verifier.fold(check.log()!);
    assert.deepEqual(Object.keys(verifier.finish().counts), [found.invariant]);
  }
});

test('where another rule is broken by fewer choices than the one that was found first, and comes up, that one is shown, and no rule is broken by fewer', () => {
  for (const name of ['refs-naive', 'eager']) {
    const policy = policyByName(name);
    const options = { ...BY_PREEMPTIONS, scenario: 'collapse-split', policy, bounds: GUESTS };
    assert.equal(searched('collapse-split', policy, GUESTS, { order: 'preemptions' }).counterexample()!.invariant, 'I12');
    const { invariant, schedule } = searched('collapse-split', policy, GUESTS).counterexample()!;
    assert.notEqual(invariant, 'I12');
    for (const heeds of [{}, { allRulesStates: 0 }]) {
      const check = new FullCheck({ ...options, ...heeds });
      while (check.advance(1000));
      const { shortest, counterexample } = check.report();
      assert.deepEqual([shortest, counterexample!.invariant, counterexample!.schedule.length], [true, invariant, schedule.length]);
    }
  }
});

test('what a search says it has seen is judged: within few preemptions, and where a limit ends it', () => {
  for (const name of ['refs-naive', 'eager']) {
    const policy = policyByName(name);
    const options = { ...BY_PREEMPTIONS, scenario: 'two-collapses', policy, bounds: SMALL };
    for (const maxPreemptions of [0, 1]) {
      const check = new FullCheck({ ...options, maxPreemptions });
      while (check.advance(1));
      const plain = new FullCheck({ ...options, reduce: false, maxPreemptions });
      while (plain.advance(1));
      assert.equal(check.report().verdict, plain.report().verdict, `${name}, at most ${maxPreemptions} preemptions`);
    }
  }
  const atOnce = FULL_REDUCTIONS.filter((each) => each !== 'judge-once');
  for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
    for (const maxStates of [60, 120, 240]) {
      const limited = (reduce: readonly FullReduction[]): string | undefined =>
        searched('two-collapses', policyByName('refs-naive'), SMALL, { order, maxStates, reduce }).ended;
      assert.equal(limited(FULL_REDUCTIONS), limited(atOnce), `${order}, ${maxStates} states`);
    }
  }
});

test('breadth-first, the first step that breaks a rule is found whether each is judged at once or many by one path', () => {
  const atOnce = FULL_REDUCTIONS.filter((each) => each !== 'judge-once');
  for (const [scenario, name, bounds] of [
    ['two-collapses', 'refs-naive', SMALL],
    ['two-collapses', 'eager', SMALL],
    ['collapse-protect', 'v6.1', GUESTS],
  ] as const) {
    const [one, many] = [atOnce, FULL_REDUCTIONS].map((reduce) => searched(scenario, policyByName(name), bounds, { reduce }));
    const told = ({ storedStates, transitions, isDetour }: FullSearch): object => ({ storedStates, transitions, isDetour });
    assert.deepEqual(many!.counterexample()!.schedule, one!.counterexample()!.schedule);
    assert.deepEqual(told(many!), { ...told(one!), isDetour: false });
    assert.ok(many!.judged < one!.judged);
  }
});

test('eager holds as well where walkers take references and the last holder returns the page', () => {
  const { descend, ascend, stateWords, unlinked, countsHolders, tracksTables } = policyByName('refs');
  const withReferences = { ...policyByName('eager'), descend, ascend, stateWords, unlinked, countsHolders, tracksTables };
  assert.equal(searched('two-collapses', withReferences, SMALL).ended, 'complete');
});

function sampled(policy: string, options: Partial<SamplingOptions> = {}): Sampling {
  const { build } = FULL_SCENARIOS.find(({ name }) => name === 'two-collapses')!;
  const all = { draw: 'pct', seed: 1, executions: 300, depth: 3, except: [], ...options } as const;
  const sampling = new Sampling(build({ ...SMALL, walkers: 2 }), policyByName(policy), 'two-collapses', all);
  while (sampling.advance(100));
  return sampling;
}

test('schedules drawn by priorities find the races, the same ones for a seed, and what is found is shrunk until no turn can be left out', () => {
  for (const [policy, invariant] of [
    ['refs-naive', 'I7'],
    ['eager', 'I1'],
  ] as const) {
    const found = sampled(policy).counterexample()!;
    assert.equal(found.invariant, invariant);
    assert.deepEqual(sampled(policy).counterexample()!.schedule, found.schedule);
    const verifier = new Verifier();
    verifier.fold(found.frame);
    assert.ok(Object.keys(verifier.finish().counts).includes(invariant));
    assert.ok(found.schedule.length < 60);
  }
});

test('sampling a design that holds finds nothing, and says how many pairs of steps it has seen', () => {
  const { ended, executions, pairs, unended } = sampled('rcu', { draw: 'random', executions: 100 });
  assert.deepEqual([ended, executions, unended], ['sampled', 100, 0]);
  assert.ok(pairs > 300);
});

test('shrinking leaves out all that a failure does not need', () => {
  const needs = (schedule: readonly number[]): boolean => /1.*2.*1.*2/.test(schedule.join(''));
  const shrunk = shrink([0, 1, 3, 3, 2, 0, 0, 1, 1, 0, 2, 2, 0, 3], needs);
  assert.deepEqual(shrunk, [1, 2, 1, 2]);
});

function checkedForLife(scenario: string, policy: ReclaimPolicy, bounds: FullBounds, order: FullOrder): FullReport {
  const check = new FullCheck({ ...UNLIMITED, scenario, policy, bounds, order, liveness: true });
  while (check.advance(1000));
  return check.report();
}

test('a walker that spins for ever is a livelock, shown with the choices that come again and again', () => {
  const refs = policyByName('refs');
  // Refused a reference, the walker asks again for the same table, which will never have one.
  const spins = whereRefused(HOOK.again);
  for (const order of ['bfs', 'preemptions'] satisfies FullOrder[]) {
    const report = checkedForLife('two-collapses', spins, SMALL, order);
    assert.deepEqual([report.verdict, report.counterexample!.kind, report.counterexample!.loop], ['violated', 'livelock', 1]);
    assert.match(report.counterexample!.because, /vCPU 0 can go on for ever by one choice/);
    const { verdict, liveness } = checkedForLife('two-collapses', refs, SMALL, order);
    assert.deepEqual([verdict, liveness], ['safe', true]);
  }
});

test('a loop that starves an actor which could always step is no livelock', () => {
  const graph = (edges: readonly (readonly Edge[])[]): StateGraph => ({ states: edges.length, actors: 2, edges: (state) => edges[state]! });
  const searchedGraph = (edges: readonly (readonly Edge[])[]): Livelocks => {
    const livelocks = new Livelocks(graph(edges));
    while (livelocks.advance(1));
    return livelocks;
  };
  const spin = { actor: 0, to: 0 };
  assert.equal(searchedGraph([[spin, { actor: 1, to: 1 }], []]).ended, 'none');
  assert.deepEqual(searchedGraph([[{ actor: 1, to: 1 }], [{ actor: 0, to: 1 }]]).found, { state: 1, loop: [0] });
  const both = searchedGraph([
    [
      { actor: 0, to: 1 },
      { actor: 1, to: 1 },
    ],
    [{ actor: 0, to: 0 }],
  ]);
  assert.deepEqual([both.ended, both.found!.loop.length], ['livelock', 2]);
});

test('a search that was saved, wherever it stood, and goes on in another process ends as it would have', () => {
  const { build } = FULL_SCENARIOS.find(({ name }) => name === 'two-collapses')!;
  const cases = [
    [policyByName('refs'), SMALL],
    [policyByName('rcu'), TWINS],
  ] as const;
  for (const [policy, bounds] of cases) {
    for (const order of ['bfs', 'dfs', 'preemptions'] satisfies FullOrder[]) {
      const begin = (maxStates = Infinity): FullSearch =>
        new FullSearch(build(bounds), policy, 'two-collapses', { order, reduce: FULL_REDUCTIONS, maxBytes: 2 ** 29, maxStates });
      const whole = begin();
      while (whole.advance(1000));
      const counts = ({ storedStates, transitions, ended }: FullSearch) => ({ storedStates, transitions, ended });
      for (const part of [0.25, 0.5, 0.75]) {
        const first = begin(Math.floor(whole.storedStates * part));
        while (first.advance(1000));
        assert.equal(first.ended, 'states');
        const second = begin();
        second.restore(first.save()!);
        while (second.advance(1000));
        assert.deepEqual(counts(second), counts(whole));
        assert.deepEqual(new Set(second.finalStates), new Set(whole.finalStates));
      }
    }
  }
});

test('pKVM: taking pages back against faults of the host holds, brings blocks back under the feet of hardware walks, and fails where faults take no lock', () => {
  const rwlock = policyByName('rwlock');
  assert.equal(searched('reclaim-fault', rwlock, GUESTS).ended, 'complete');
  const met = (kind: number): FullCounterexample | undefined => searched('reclaim-fault', rwlock, GUESTS, { find: kind }).counterexample();
  for (const kind of [K.tableUnlinked, K.pageReclaimed, K.hardwareDescriptorRead]) assert.equal(met(kind)?.kind, 'found', kindName(kind));
  const unlocked = { ...rwlock, faultLock: 0 };
  assert.equal(searched('reclaim-fault', unlocked, SMALL).counterexample()?.invariant, 'I9');
  const found = searched('reclaim-fault', unlocked, SMALL, { except: ['I9'] }).counterexample()!;
  assert.equal(found.invariant, 'I1');
  const view = new MachineView();
  view.fold(found.frame.rows, 0);
  assert.equal(view.nextSeq, found.frame.rows.length);
});

/** Nothing is flushed. */
function lacksFlushes(machine: Machine): void {
  const commit = machine.commit.bind(machine);
  machine.commit = (walker, kind, ...columns) => {
    if (kind !== K.tlbiIssued) commit(walker, kind, ...columns);
  };
}

test('pKVM, lazily: the table that the last page of a guest leaves is dropped, and nothing but the lock and the flush keeps others out of it', () => {
  const rwlock = policyByName('rwlock');
  const name = 'reclaim-fault-lazy';
  assert.equal(searched(name, rwlock, GUESTS).ended, 'complete');
  for (const except of [[], ['I9']]) {
    const found = searched(name, { ...rwlock, faultLock: 0 }, SMALL, { except }).counterexample()!;
    assert.equal(found.invariant, except.length === 0 ? 'I9' : 'I1');
  }
  const setting = FULL_SCENARIOS.find((each) => each.name === name)!.build(GUESTS);
  const broken = (except: readonly string[]) => {
    const options = { order: 'bfs', reduce: FULL_REDUCTIONS, maxBytes: 2 ** 29, except } as const;
    const unflushed = new FullSearch({ ...setting, prepare: lacksFlushes }, rwlock, name, options);
    while (unflushed.advance(1000));
    return unflushed.counterexample()!;
  };
  // Some table is freed while its link may be cached; and to this one a hardware walk does come.
  assert.equal(broken([]).invariant, 'I3');
  const { invariant, frame } = broken(['I3']);
  assert.equal(invariant, 'I2');
  const dropped = Array.from(frame.rows.kind.subarray(0, frame.rows.length), (kind, i) => kind === K.tableUnlinked && frame.rows.aux[i]);
  assert.ok(dropped.includes(UNLINK_CAUSE.idle));
});

test('a policy that counts every leaf is refused where the leaves of the host are not counted', () => {
  const of = { scenario: 'reclaim-fault-lazy', policy: policyByName('v6.1'), bounds: SMALL, order: 'bfs', reduce: true } as const;
  const limits = { maxBytes: 2 ** 29, maxStates: 1, maxPreemptions: 1, except: [], liveness: false };
  assert.throws(() => new FullCheck({ ...of, ...limits }), /policy 'v6.1' is refused in reclaim-fault-lazy, .*count every leaf/);
});

test('a policy that needs RCU is refused by name on a pKVM machine, searched or sampled', () => {
  const of = { scenario: 'reclaim-fault', policy: policyByName('rcu'), bounds: SMALL, order: 'bfs', reduce: true } as const;
  const limits = { maxBytes: 2 ** 29, maxStates: 1, maxPreemptions: 1, except: [], liveness: false };
  const refused = /policy 'rcu' is refused in reclaim-fault, a pkvm machine: it needs RCU, and there is none at EL2/;
  assert.throws(() => new FullCheck({ ...of, ...limits }), refused);
  const draws = { draw: 'pct', seed: 1, executions: 1, depth: 3, except: [] } as const;
  assert.throws(() => sampling('reclaim-fault', SMALL, policyByName('rcu'), draws), refused);
});

test('of a pKVM scenario too, schedules are drawn to the end, and no executions are found that never end', () => {
  const draws = { draw: 'pct', seed: 3, executions: 100, depth: 3, except: [] } as const;
  const drawn = sampling('reclaim-fault', { ...GUESTS, walkers: 3, slots: 4 }, policyByName('epoch'), draws);
  while (drawn.advance(50));
  assert.deepEqual([drawn.ended, drawn.executions, drawn.unended], ['sampled', 100, 0]);
  assert.ok(drawn.pairs > 80);
  const { verdict, liveness } = checkedForLife('reclaim-fault', policyByName('refs'), SMALL, 'bfs');
  assert.deepEqual([verdict, liveness], ['safe', true]);
});
