import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullBounds, FullOrder, FullSearchOptions } from '@s2lab/checker';
import { FULL_SCENARIOS, FullCheck, FullSearch } from '@s2lab/checker';
import type { ReclaimPolicy } from '@s2lab/engine';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { MachineView } from '@s2lab/timeline';

const SMALL: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
const GUESTS: FullBounds = { ...SMALL, hardware: true };

function searched(scenario: string, policy: ReclaimPolicy, bounds: FullBounds, options: Partial<FullSearchOptions> = {}): FullSearch {
  const { build } = FULL_SCENARIOS.find(({ name }) => name === scenario)!;
  const search = new FullSearch(build(bounds), policy, scenario, { order: 'bfs', reduce: true, maxBytes: 2 ** 29, ...options });
  while (search.advance(1000));
  return search;
}

function finalStates(search: FullSearch): Set<string> {
  return new Set(search.finalStates.map((id) => search.describe(id)));
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
  ['collapse-protect', ['hyp-lock', 'rwlock'], { ...GUESTS, walkers: 0 }],
];

for (const [scenario, policies, bounds] of COMPARED) {
  for (const name of policies) {
    test(`${scenario}, ${name}: what is left out changes neither the verdict nor the final states`, () => {
      const policy = policyByName(name);
      const plain = searched(scenario, policy, bounds, { reduce: false });
      const reduced = searched(scenario, policy, bounds);
      assert.deepEqual(outcome(reduced), outcome(plain));
      assert.ok(reduced.storedStates < plain.storedStates);
      if (plain.ended === 'complete') assert.deepEqual(finalStates(reduced), finalStates(plain));
      for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
        const other = searched(scenario, policy, bounds, { order });
        assert.deepEqual(other.ended, plain.ended);
        if (plain.ended === 'complete') assert.deepEqual(finalStates(other), finalStates(plain));
      }
    });
  }
}

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
  const options = { scenario: 'two-collapses', policy: policyByName('rcu'), bounds: SMALL, order: 'preemptions', reduce: true } as const;
  const check = new FullCheck({ ...options, maxBytes: 2 ** 29, maxStates: 500, maxPreemptions: Infinity, except: [] });
  while (check.advance(100));
  const report = check.report();
  assert.equal(report.verdict, 'unfinished');
  assert.ok(report.bounds.preemptions! >= 0);
  const bounded = new FullCheck({ ...options, maxBytes: 2 ** 29, maxStates: Infinity, maxPreemptions: 1, except: [] });
  while (bounded.advance(10));
  assert.deepEqual([bounded.report().verdict, bounded.report().bounds.preemptions], ['safe', 1]);
});

test('eager holds as well where walkers take references and the last holder returns the page', () => {
  const { descend, ascend, stateWords, unlinked, countsHolders, tracksTables } = policyByName('refs');
  const withReferences = { ...policyByName('eager'), descend, ascend, stateWords, unlinked, countsHolders, tracksTables };
  assert.equal(searched('two-collapses', withReferences, SMALL).ended, 'complete');
});
