import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullBounds, FullCounterexample, FullSearchOptions, Setting } from '@s2lab/checker';
import { FULL_REDUCTIONS, FULL_SCENARIOS, FullSearch } from '@s2lab/checker';
import type { ReclaimPolicy } from '@s2lab/engine';
import { COMMAND, HOOK } from '@s2lab/engine';
import { ACCESS, decodeEvent, K } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';

/*
 * The historical bugs of the kernel's parallel page-table code that the lab must be able to refute, each as a mutant, or as the kernel's
 * own code where the engine does what the kernel did. The checker is not told what to look for.
 */

const WALKS: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };

function find(setting: Setting, policy: ReclaimPolicy, options: Partial<FullSearchOptions> = {}): FullCounterexample {
  const search = new FullSearch(setting, policy, 'corpus', {
    order: 'preemptions',
    reduce: FULL_REDUCTIONS,
    maxBytes: 2 ** 29,
    ...options,
  });
  while (search.advance(500));
  const found = search.counterexample();
  assert.ok(found !== undefined, `nothing found in ${search.storedStates} states`);
  return found;
}

function scenario(name: string, bounds: FullBounds = WALKS): Setting {
  return FULL_SCENARIOS.find((each) => each.name === name)!.build(bounds);
}

const refs = policyByName('refs');

test('a descriptor value kept across a retry (parallel faults v1, fixed in v2) is a use after free', () => {
  // The walker sees that its link does not stand any more, and goes on with the value that it had read.
  const keeps: ReclaimPolicy = {
    ...refs,
    descend(machine, walker, table) {
      const outcome = refs.descend(machine, walker, table);
      return outcome === HOOK.restart ? HOOK.done : outcome;
    },
  };
  assert.match(find(scenario('two-collapses'), keeps).invariant!, /^I(1|7)$/);
});

test('table pages that nobody frees (the parallel series, found by the page-table counter, fixed in v5) are a leak', () => {
  const leaks: ReclaimPolicy = { ...policyByName('rcu'), unlinked: () => HOOK.held };
  const found = find(scenario('two-collapses'), leaks);
  assert.deepEqual([found.kind, found.invariant], ['violation', 'I6']);
});

test('a table replaced under the read lock while another walks in it (fix to f783ef1c0e82, 2022) is a use after free', () => {
  const rwlock = policyByName('rwlock');
  const reads: ReclaimPolicy = { ...rwlock, capabilities: { ...rwlock.capabilities, collapsesInParallel: true } };
  // Other ways lose pages as well (I6); this is the shortest.
  assert.equal(find(scenario('two-collapses'), reads, { order: 'bfs' }).invariant, 'I1');
});

test('a permission relaxation that takes a block for the page it faulted on (2025) lets writes go unlogged', () => {
  // No mutant: the fault is handled as the kernel does, by the level that the hardware reported, and between the two the page became a block.
  const bounds: FullBounds = { ...WALKS, hardware: true };
  const found = find(scenario('collapse-protect', bounds), policyByName('hyp-lock'));
  assert.equal(found.invariant, 'I12');
  const events = Array.from({ length: found.frame.rows.length }, (_, i) => decodeEvent(found.frame.rows, i, i, 0));
  const logged = events.findLastIndex(({ kind }) => kind === 'dirty-log-started');
  const relaxed = events.findLast((event) => event.kind === 'descriptor-stored' || event.kind === 'descriptor-swapped');
  assert.ok(relaxed !== undefined && relaxed.seq > logged && relaxed.level === 2, 'after logging began a whole block is made writable');
});

test('a permission fault that finds no table and has not topped its cache up (2026) runs out of table pages', () => {
  const page = 4096;
  const slot = { memslot: 0, ipa: 0, bytes: 2 * page, pa: 2 ** 34, hva: 2 ** 40, vmaShift: 12, thp: 1 };
  const setting: Setting = {
    config: { ipaBits: 19, indexBits: 1, tlbEntries: 2, walkCacheEntries: 2, cacheCapacity: 4 },
    prologue: [
      [2, { kind: COMMAND.memslotCreate, ...slot }],
      [2, { kind: COMMAND.dirtyLogOn }],
      [0, { kind: COMMAND.access, ipa: 0, access: ACCESS.read }],
      [2, { kind: COMMAND.dirtyLogOff }],
    ],
    requests: [[], [{ kind: COMMAND.access, ipa: 0, access: ACCESS.write }], [{ kind: COMMAND.unmapRange, ipa: 0, bytes: 2 * page }]],
  };
  const found = find(setting, policyByName('rcu'), { find: K.cacheExhausted });
  assert.equal(found.kind, 'found');
});

test('what the mutants are made of holds in the same scenarios', () => {
  for (const name of ['rwlock', 'refs']) {
    const search = new FullSearch(scenario('two-collapses'), policyByName(name), 'corpus', {
      order: 'bfs',
      reduce: FULL_REDUCTIONS,
      maxBytes: 2 ** 29,
    });
    while (search.advance(500));
    assert.equal(search.ended, 'complete');
  }
});
