import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { FullBounds, FullOrder, FullSearchOptions, Request, Setting } from '@s2lab/checker';
import { FULL_REDUCTIONS, FULL_SCENARIOS, FullCheck, FullSearch, sampling } from '@s2lab/checker';
import type { Machine, MemoryModel, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS, decodeEvent, K } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { MachineView } from '@s2lab/timeline';

/*
 * The full engine on memory in which stores become visible late. What is published and fenced as it should be holds there as well; what is not
 * fails there, and only there.
 */

const WALKS: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
const MODELS: readonly MemoryModel[] = ['sc', 'tso', 'pso'];
const LATE: readonly MemoryModel[] = ['tso', 'pso'];
/** What is left out where stores are held back, too: they name actors and tables as they are. */
const NAMED = FULL_REDUCTIONS.filter((each) => each !== 'tables' && each !== 'walkers');
const ALL = { maxBytes: 2 ** 29, maxStates: Infinity, maxPreemptions: Infinity, liveness: false } as const;

function on(memory: MemoryModel, setting: Setting): Setting {
  return { ...setting, config: { ...setting.config, memory } };
}

function scenario(name: string, bounds: FullBounds = WALKS): Setting {
  return FULL_SCENARIOS.find((each) => each.name === name)!.build(bounds);
}

function searched(setting: Setting, policy: ReclaimPolicy, options: Partial<FullSearchOptions> = {}): FullSearch {
  const search = new FullSearch(setting, policy, 'memory', { order: 'bfs', reduce: FULL_REDUCTIONS, maxBytes: 2 ** 29, ...options });
  while (search.advance(500));
  return search;
}

function finalStates(search: FullSearch): Set<string> {
  return new Set(search.finalStates.map((id) => search.describe(id)));
}

const PAGE = 4096;
const MEMSLOT = { memslot: 0, ipa: 0, bytes: 2 * PAGE, pa: 2 ** 34, hva: 2 ** 40, vmaShift: 12, thp: 1 };
const write = (page: number): Request => ({ kind: COMMAND.access, ipa: page * PAGE, access: ACCESS.write });

/** Two vCPUs write pages of a block for the first time while it is logged: who comes first builds the table that the other one's hardware walks. */
const BUILD: Setting = {
  config: { ipaBits: 14, indexBits: 1, tlbEntries: 2, walkCacheEntries: 2, cacheCapacity: 4 },
  prologue: [
    [2, { kind: COMMAND.memslotCreate, ...MEMSLOT }],
    [2, { kind: COMMAND.dirtyLogOn }],
  ],
  requests: [[write(0)], [write(1)], []],
};

/** Every store-release is a plain store. */
function linksPlainly(machine: Machine): void {
  const store = machine.storeDescriptor.bind(machine);
  machine.storeDescriptor = (walker, kind, lo, hi) => store(walker, kind === K.descriptorReleased ? K.descriptorStored : kind, lo, hi);
}

/** What a policy publishes, its walkers do not wait for. */
function lacksFences(machine: Machine): void {
  const storeWord = machine.storeWord.bind(machine);
  const fence = machine.fence.bind(machine);
  let published = false;
  machine.storeWord = (...word) => {
    storeWord(...word);
    published = true;
  };
  machine.fence = (walker) => {
    if (!published) fence(walker);
    published = false;
  };
}

for (const [name, policies, bounds] of [
  ['two-collapses', ['rwlock', 'hyp-lock', 'v6.1', 'refs', 'epoch'], WALKS],
  ['reclaim-fault', ['rwlock', 'refs', 'epoch'], WALKS],
  ['collapse-split', ['hyp-lock', 'rwlock', 'rcu'], { ...WALKS, walkers: 0 }],
  ['unmap-fault', ['hyp-lock', 'rwlock', 'rcu', 'hazard'], { ...WALKS, walkers: 0 }],
] as const) {
  for (const policy of policies) {
    test(`${name}, ${policy}: holds where stores are seen late too, and ends as it does where they are seen at once`, () => {
      const atOnce = searched(scenario(name, bounds), policyByName(policy), { reduce: NAMED });
      assert.equal(atOnce.ended, 'complete');
      for (const memory of LATE) {
        const late = searched(on(memory, scenario(name, bounds)), policyByName(policy));
        assert.equal(late.ended, 'complete', `${memory}: ${late.counterexample()?.because}`);
        assert.ok(late.storedStates > atOnce.storedStates);
        assert.equal(late.finalStates.length, atOnce.finalStates.length);
      }
    });
  }
}

test('where stores are seen at once, all is as if there were no choice of a memory', () => {
  for (const policy of ['hazard', 'refs-naive', 'eager']) {
    const without = searched(scenario('two-collapses'), policyByName(policy));
    const named = searched(on('sc', scenario('two-collapses')), policyByName(policy));
    const counts = ({ storedStates, transitions, judged, ended }: FullSearch) => ({ storedStates, transitions, judged, ended });
    assert.deepEqual(counts(named), counts(without));
    assert.deepEqual(named.counterexample(), without.counterexample());
  }
});

for (const memory of LATE) {
  for (const [name, policies] of [
    ['two-collapses', ['rwlock', 'hyp-lock', 'v6.1', 'refs-naive', 'eager']],
    ['reclaim-fault', ['hyp-lock']],
  ] as const) {
    for (const policy of policies) {
      test(`${memory}, ${name}, ${policy}: what is left out changes neither the verdict nor the final states`, () => {
        const setting = on(memory, scenario(name));
        const plain = searched(setting, policyByName(policy), { reduce: [] });
        for (const order of ['bfs', 'preemptions'] satisfies FullOrder[]) {
          const reduced = searched(setting, policyByName(policy), { order });
          assert.deepEqual([reduced.ended, reduced.counterexample()?.invariant], [plain.ended, plain.counterexample()?.invariant]);
          if (plain.ended === 'complete') assert.deepEqual(finalStates(reduced), finalStates(plain));
        }
      });
    }
  }
}

for (const policy of ['hyp-lock', 'v6.1']) {
  test(`${policy}: a table linked without release is walked by hardware before it is initialised, where stores pass each other and only there`, () => {
    for (const memory of MODELS) assert.equal(searched(on(memory, BUILD), policyByName(policy)).ended, 'complete');
    const mutant = { ...BUILD, prepare: linksPlainly };
    // The rule about the way it is linked (I15) would tell at once.
    const found = (memory: MemoryModel) => searched(on(memory, mutant), policyByName(policy), { except: ['I15'] });
    assert.deepEqual([found('sc').ended, found('tso').ended], ['complete', 'complete']);
    const { invariant, because, frame, schedule } = found('pso').counterexample()!;
    assert.equal(invariant, 'I10');
    assert.match(because, /the guest reached 0xbad0000 by 0x1000/);
    assert.ok(schedule.length <= 10);
    const kinds = Array.from({ length: frame.rows.length }, (_, i) => decodeEvent(frame.rows, i, i, 0).kind);
    assert.ok(kinds.lastIndexOf('table-linked') < kinds.lastIndexOf('hardware-descriptor-read'));
  });
}

test('a hazard pointer that is published without a barrier does not hold the page: found where stores are seen late, not where they are seen at once', () => {
  const found = (memory: MemoryModel) =>
    searched({ ...on(memory, scenario('two-collapses')), prepare: lacksFences }, policyByName('hazard'), { order: 'preemptions' });
  assert.equal(found('sc').ended, 'complete');
  for (const memory of LATE) {
    const { invariant, frame } = found(memory).counterexample()!;
    assert.equal(invariant, 'I1');
    const verifier = new Verifier();
    verifier.fold(frame);
    assert.deepEqual(Object.keys(verifier.finish().counts), ['I1'], 'the log says what memory it is of, so nothing else is wrong with it');
    const view = new MachineView();
    view.fold(frame.rows, 0);
    assert.equal(view.nextSeq, frame.rows.length);
  }
});

test('schedules drawn by chance let stores become visible late as well, and a failing one is shrunk', () => {
  const bounds = { ...WALKS, memory: 'pso' } as const;
  const draws = { draw: 'pct', seed: 2, executions: 200, depth: 3, except: [] } as const;
  const drawn = sampling('two-collapses', bounds, policyByName('eager'), draws);
  while (drawn.advance(50));
  const { invariant, schedule } = drawn.counterexample()!;
  assert.equal(invariant, 'I1');
  assert.ok(schedule.length < 70);
  const sound = sampling('two-collapses', bounds, policyByName('refs'), draws);
  while (sound.advance(50));
  assert.deepEqual([sound.ended, sound.unended], ['sampled', 0]);
});

test('no fair execution goes on for ever because a store is never seen', () => {
  const options = { scenario: 'two-collapses', policy: policyByName('rwlock'), order: 'bfs', reduce: true, except: [], ...ALL } as const;
  for (const memory of LATE) {
    const check = new FullCheck({ ...options, bounds: { ...WALKS, memory }, liveness: true });
    while (check.advance(1000));
    assert.equal(check.report().verdict, 'safe');
  }
});

test('more actors than there is room for choices are refused, with the memory that they are too many for', () => {
  const bounds: FullBounds = { ...WALKS, walkers: 4, collapsers: 2, memory: 'pso' };
  const options = {
    scenario: 'two-collapses',
    policy: policyByName('rcu'),
    bounds,
    order: 'bfs',
    reduce: true,
    except: [],
    ...ALL,
  } as const;
  assert.throws(() => new FullCheck(options), /8 actors are too many for pso: take fewer walkers or collapsers/);
});

test('bits for states meet as many states as are stored whole, where stores are seen late as well', () => {
  const options = { scenario: 'two-collapses', policy: policyByName('rwlock'), order: 'dfs', reduce: true, except: [], ...ALL } as const;
  const checked = (bits: object) => {
    const check = new FullCheck({ ...options, ...bits, bounds: { ...WALKS, memory: 'pso' } });
    while (check.advance(1000));
    return check.report();
  };
  const [whole, bits] = [checked({}), checked({ bitStateBytes: 2 ** 20 })];
  assert.deepEqual([whole.verdict, bits.verdict], ['safe', 'unfinished']);
  assert.deepEqual([bits.storedStates, bits.transitions], [whole.storedStates, whole.transitions]);
});
