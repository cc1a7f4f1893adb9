import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullBounds, ParallelCheckOptions } from '@s2lab/checker';
import { FULL_REDUCTIONS, FULL_SCENARIOS, FullCheck, FullSearch, ParallelCheck } from '@s2lab/checker';
import type { ReclaimPolicy } from '@s2lab/engine';
import { FRAME, HOOK } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';
import { UNLIMITED, whereRefused } from './full-checks.ts';
import { LocalShares } from './local-shares.ts';

const SMALL: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
/** Two actors with the same to do. */
const TWINS: FullBounds = { ...SMALL, walkers: 0, collapsers: 2 };
const ALONE: FullBounds = { ...SMALL, walkers: 0 };

function optionsOf(scenario: string, policy: ReclaimPolicy, bounds: FullBounds): ParallelCheckOptions {
  return { ...UNLIMITED, scenario, policy, bounds, order: 'bfs' };
}

function inOneThread(options: ParallelCheckOptions): FullCheck {
  const check = new FullCheck(options);
  while (check.advance(1000));
  return check;
}

async function inShares(options: ParallelCheckOptions, count: number, seed = count): Promise<ParallelCheck> {
  const check = new ParallelCheck(options, new LocalShares(count, options.policy, seed));
  while (await check.advance(1000));
  return check;
}

/** The report but for how many paths judged the steps: in one thread each step is judged by a path of its own. */
function answer(check: FullCheck | ParallelCheck): object {
  return { ...check.report(), judgedPaths: null, rows: check.log()?.rows };
}

function wholeSearch({ scenario, policy, bounds, order, maxBytes, maxStates }: ParallelCheckOptions, words: Int32Array): FullSearch {
  const { build } = FULL_SCENARIOS.find(({ name }) => name === scenario)!;
  const search = new FullSearch(build(bounds), policy, scenario, { order, reduce: FULL_REDUCTIONS, maxBytes, maxStates });
  search.restore(words);
  return search;
}

function finalStates(search: FullSearch): readonly string[] {
  return search.finalStates.map((id) => `${id}: ${search.describe(id)}`);
}

const COMPARED: readonly (readonly [scenario: string, policies: readonly string[], bounds: FullBounds])[] = [
  ['two-collapses', ['rwlock', 'hyp-lock', 'refs-naive', 'refs', 'eager', 'v6.1'], SMALL],
  ['unmap-fault', ['rcu', 'epoch', 'hazard', 'rwlock', 'hyp-lock'], ALONE],
  ['collapse-split', ['rcu', 'rwlock', 'hyp-lock'], ALONE],
  ['destroy-fault', ['rcu', 'rwlock', 'refs', 'v6.1'], ALONE],
  ['collapse-young', ['rwlock', 'refs', 'eager'], ALONE],
  ['collapse-protect', ['hyp-lock', 'rwlock'], { ...ALONE, hardware: true }],
  ['two-collapses', ['rcu', 'rwlock', 'refs-naive', 'refs', 'eager', 'v6.1'], TWINS],
  ['reclaim-fault', ['rwlock', 'hyp-lock', 'refs'], SMALL],
];

for (const [scenario, policies, bounds] of COMPARED) {
  for (const name of policies) {
    test(`${scenario}, ${name}, ${bounds === TWINS ? 'twins' : 'one of each'}: shares of a search find what one thread finds`, async () => {
      const options = optionsOf(scenario, policyByName(name), bounds);
      const one = inOneThread(options);
      const shared = [await inShares(options, 1), await inShares(options, 2), await inShares(options, 3)];
      for (const check of shared) {
        assert.deepEqual(answer(check), answer(one));
        assert.deepEqual(check.report(), shared[0]!.report());
      }
      if (one.report().verdict === 'safe') {
        const whole = finalStates(wholeSearch(options, one.save()!));
        assert.ok(whole.length > 0);
        for (const check of shared) assert.deepEqual(finalStates(wholeSearch(options, (await check.save())!)), whole);
      }
      const preemptions = { ...options, order: 'preemptions' } as const;
      assert.deepEqual(answer(await inShares(preemptions, 2)), answer(inOneThread(preemptions)));
    });
  }
}

test('a search that leaves nothing out judges every step by a path of its own in shares too', async () => {
  for (const name of ['rcu', 'refs-naive']) {
    for (const order of ['bfs', 'preemptions'] as const) {
      const options = { ...optionsOf('two-collapses', policyByName(name), name === 'rcu' ? ALONE : SMALL), order, reduce: false };
      assert.deepEqual((await inShares(options, 2)).report(), inOneThread(options).report());
    }
  }
});

test('where stores are seen late, or a rule is left out, shares find what one thread finds', async () => {
  for (const options of [
    optionsOf('two-collapses', policyByName('hazard'), { ...SMALL, memory: 'pso' }),
    { ...optionsOf('two-collapses', policyByName('refs-naive'), SMALL), except: ['I7'] },
  ])
    assert.deepEqual(answer(await inShares(options, 2)), answer(inOneThread(options)));
});

test('the speed of the shares changes nothing, not even how many paths judged', async () => {
  for (const name of ['refs', 'eager']) {
    for (const order of ['bfs', 'preemptions'] as const) {
      const options = { ...optionsOf('two-collapses', policyByName(name), { ...SMALL, walkers: 2 }), order, maxStates: 2000 };
      const [first, second] = [await inShares(options, 3, 11), await inShares(options, 3, 12)];
      assert.deepEqual(second.report(), first.report());
      assert.deepEqual(second.log(), first.log());
      assert.deepEqual(await second.save(), await first.save());
    }
  }
});

test('a step that cannot be made, since a rule was broken before, is told by the rule; where none was, by what it failed with', async () => {
  const failing = (policy: ReclaimPolicy, when: (state: number) => boolean): ReclaimPolicy => ({
    ...policy,
    ascend(machine, walker, table) {
      if (when(machine.world.pages.state[table]!)) throw new Error(`table ${table} is gone`);
      return policy.ascend(machine, walker, table);
    },
  });
  const broken = failing(policyByName('refs-naive'), (state) => state !== FRAME.live);
  for (const order of ['bfs', 'preemptions'] as const) {
    const options = { ...optionsOf('two-collapses', broken, SMALL), order };
    assert.deepEqual(answer(await inShares(options, 2)), answer(inOneThread(options)));
  }
  let calls = 0;
  const defect = failing(policyByName('refs'), () => (calls += 1) > 40);
  await assert.rejects(inShares(optionsOf('two-collapses', defect, SMALL), 2), /^Error: table \d is gone$/);
});

test('fewer choices are looked for in shares as in one thread, of one rule as well', async () => {
  for (const [scenario, name] of [
    ['collapse-split', 'eager'],
    ['collapse-split', 'hyp-lock'],
  ] as const) {
    for (const allRulesStates of [0, 1000]) {
      const options = {
        ...optionsOf(scenario, policyByName(name), { ...SMALL, hardware: true }),
        order: 'preemptions',
        allRulesStates,
      } as const;
      const [shared, one] = [(await inShares(options, 2)).report(), inOneThread(options).report()];
      assert.deepEqual([shared.shortest, one.shortest], [true, true]);
      assert.equal(shared.counterexample!.invariant, name === 'eager' ? 'I1' : 'I12');
      assert.deepEqual(shared.counterexample, one.counterexample);
    }
  }
});

test('a limit of states ends a search in shares where it ends one of one thread', async () => {
  for (const maxStates of [1, 60, 300, 5000]) {
    const options = { ...optionsOf('two-collapses', policyByName('refs'), { ...SMALL, walkers: 2 }), maxStates };
    assert.deepEqual(answer(await inShares(options, 2)), answer(inOneThread(options)));
  }
});

test('a limit of memory ends a search in shares, and it says so', async () => {
  const options = { ...optionsOf('two-collapses', policyByName('refs'), { ...SMALL, walkers: 2 }), maxBytes: 2 ** 21 };
  const report = (await inShares(options, 2)).report();
  assert.deepEqual([report.verdict, report.unfinishedBecause], ['unfinished', `the stored states would take more than ${2 ** 21} bytes`]);
  assert.ok(report.storedStates > 500);
  assert.deepEqual((await inShares(options, 2, 9)).report(), report);
});

test('few preemptions are seen in shares as in one thread, and the verdict is bounded by them', async () => {
  for (const name of ['refs-naive', 'eager', 'rcu']) {
    for (const maxPreemptions of [0, 1]) {
      const options = { ...optionsOf('two-collapses', policyByName(name), SMALL), order: 'preemptions', maxPreemptions } as const;
      const one = new FullCheck(options);
      while (one.advance(1));
      const [shared, alone] = [(await inShares(options, 2)).report(), one.report()];
      assert.deepEqual([shared.verdict, shared.bounds], [alone.verdict, alone.bounds], `${name}, at most ${maxPreemptions} preemptions`);
    }
  }
});

test('a search saved by some threads goes on in any other number of them, and ends as it would have', async () => {
  for (const [name, bounds] of [
    ['refs', SMALL],
    ['rcu', TWINS],
  ] as const) {
    for (const order of ['bfs', 'preemptions'] as const) {
      const options = { ...optionsOf('two-collapses', policyByName(name), bounds), order };
      const whole = answer(inOneThread(options));
      const { storedStates } = inOneThread(options).report();
      for (const part of [0.25, 0.75]) {
        const limited = { ...options, maxStates: Math.floor(storedStates * part) };
        const words = (await (await inShares(limited, 2)).save())!;
        const three = new ParallelCheck(options, new LocalShares(3, options.policy, 5));
        await three.restore(words.slice());
        while (await three.advance(1000));
        assert.deepEqual(answer(three), whole);
        for (const saved of [words, inOneThread(limited).save()!]) {
          const alone = new FullCheck(options);
          alone.restore(saved.slice());
          while (alone.advance(1000));
          assert.deepEqual(answer(alone), whole);
          const two = new ParallelCheck(options, new LocalShares(2, options.policy, 6));
          await two.restore(saved.slice());
          while (await two.advance(1000));
          assert.deepEqual(answer(two), whole);
        }
      }
    }
  }
});

test('a saved search of another machine is refused', async () => {
  const words = inOneThread({ ...optionsOf('two-collapses', policyByName('refs'), SMALL), maxStates: 50 }).save()!;
  const other = new ParallelCheck(optionsOf('two-collapses', policyByName('rcu'), TWINS), new LocalShares(2, policyByName('rcu'), 1));
  await assert.rejects(other.restore(words), /the saved search cannot be gone on with/);
});

test('loops are found in the states that shares have seen', async () => {
  // Refused a reference, the walker asks again for the same table, which will never have one.
  const spins = whereRefused(HOOK.again);
  for (const [policy, verdict] of [
    [spins, 'violated'],
    [policyByName('refs'), 'safe'],
  ] as const) {
    for (const order of ['bfs', 'preemptions'] as const) {
      const options = { ...optionsOf('two-collapses', policy, SMALL), order, liveness: true };
      const check = await inShares(options, 2);
      assert.equal(check.report().verdict, verdict);
      assert.deepEqual(check.report().counterexample?.kind, verdict === 'violated' ? 'livelock' : undefined);
      if (order === 'bfs') assert.deepEqual(answer(check), answer(inOneThread(options)));
    }
  }
});
