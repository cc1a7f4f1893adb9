import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ReclaimPolicy } from '@s2lab/engine';
import { HOOK } from '@s2lab/engine';
import type { Frame, LabEvent } from '@s2lab/events';
import { decodeEvent } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import { policyByName, POLICIES } from '@s2lab/policies';
import { playOneBlockRace } from './one-block-race.ts';

const UNSAFE: readonly string[] = ['refs-naive', 'eager'];
const WRITER = 0;
/** The writer has chosen to map a page and taken its lock by then; before, it would only see that logging is off. */
const FIRST_STEP = 8;
/** From before the collapser breaks the link to the first steps of the teardown, and to the end of it. */
const COLLAPSER_STEPS = [0, ...Array.from({ length: 33 }, (_, i) => 12 + i), 4000];
const TO_THE_END = [4000];
const HERE_AND_THERE = [20, 26, 32, 38, 4000];

interface Judged {
  readonly writerSteps: number;
  readonly collapserSteps: number;
  readonly frame: Frame;
  readonly verdict: Verdict;
}

/** Every schedule that holds the writer up after each of its steps, and the collapser after each of `collapserSteps`. */
function* sweep(policy: ReclaimPolicy, collapserSteps: readonly number[] = COLLAPSER_STEPS): Generator<Judged> {
  for (let writerSteps = FIRST_STEP, held = true; held; writerSteps += 1) {
    held = false;
    for (const steps of collapserSteps) {
      const played = playOneBlockRace(policy, { writerSteps, collapserSteps: steps });
      held ||= played.writerHeld;
      const verifier = new Verifier();
      verifier.fold(played.frame);
      yield { writerSteps, collapserSteps: steps, frame: played.frame, verdict: verifier.finish() };
    }
  }
}

function eventsOf({ rows }: Frame): LabEvent[] {
  return Array.from({ length: rows.length }, (_, i) => decodeEvent(rows, i, i, 0));
}

for (const policy of POLICIES.filter(({ name }) => !UNSAFE.includes(name))) {
  test(`${policy.name} holds wherever the writer and the collapser of one block are held up`, () => {
    let schedules = 0;
    for (const { verdict, writerSteps, collapserSteps } of sweep(policy)) {
      schedules += 1;
      assert.deepEqual(verdict.violations, [], `writer held after ${writerSteps} steps, collapser after ${collapserSteps}`);
    }
    assert.ok(schedules > 400);
  });
}

test('refs: the sweep meets the refusal, the link that changed, and the walker that frees because it is the last one out', () => {
  let refused = 0;
  let freedByWriter = 0;
  let held = 0;
  let restarted = 0;
  for (const { frame } of sweep(policyByName('refs'), HERE_AND_THERE)) {
    for (const event of eventsOf(frame)) {
      if (event.kind === 'walker-reference-refused') refused += 1;
      if (event.kind === 'table-retired') held += event.held;
      if (event.kind === 'table-freed' && event.actor === WRITER && event.level === 3) freedByWriter += 1;
      if (event.kind === 'walk-ended' && event.retries > 0) restarted += 1;
    }
  }
  assert.ok(
    refused > 0 && held > 0 && freedByWriter > 0 && restarted > refused,
    JSON.stringify({ refused, held, freedByWriter, restarted }),
  );
});

test('hazard: the sweep meets the link that changed after the hazard was published, and the scan that finds one and waits', () => {
  let restarted = 0;
  let found = 0;
  for (const { frame } of sweep(policyByName('hazard'), HERE_AND_THERE)) {
    for (const event of eventsOf(frame)) {
      if (event.kind === 'hazard-scanned' && event.found === 1) found += 1;
      if (event.kind === 'walk-ended' && event.retries > 0) restarted += 1;
    }
  }
  assert.ok(restarted > 0 && found > 0, JSON.stringify({ restarted, found }));
});

test('refs-naive: I1 finds the page that is freed between the read of its link and the reference', () => {
  const caught = [...sweep(policyByName('refs-naive'), TO_THE_END)].filter(({ verdict }) => verdict.counts.I1 !== undefined);
  assert.ok(caught.length > 0);
  for (const { frame, verdict } of caught) {
    const violation = verdict.violations.find(({ invariant }) => invariant === 'I1')!;
    const events = eventsOf(frame);
    const touch = events[violation.seq]!;
    assert.ok(touch.kind === 'descriptor-read' && touch.actor === WRITER && touch.level === 3);
    const { table } = touch;
    const before = events.slice(0, violation.seq);
    const linkRead = before.findLastIndex((e) => e.kind === 'descriptor-read' && e.actor === WRITER && e.level === 2);
    const freed = before.findLastIndex((e) => e.kind === 'table-freed' && e.table === table);
    const reference = before.findLastIndex((e) => e.kind === 'walker-reference-got' && e.actor === WRITER && e.table === table);
    // The moment: link read, page freed by the collapser, reference taken on what is no table any more, page read.
    assert.ok(linkRead < freed && freed < reference && reference < violation.seq);
    assert.notEqual(before[freed]!.actor, WRITER);
    assert.match(violation.because, /was freed by event \d+ and a walker touched it afterwards/);
    assert.ok(verdict.counts.I7! > 0, 'the reference was taken on a page that nobody held');
  }
});

test('eager: the teardown itself is sound, but I1 finds the walker that had read the link and comes to a freed page', () => {
  const all = [...sweep(policyByName('eager'), HERE_AND_THERE)];
  for (const { verdict } of all)
    assert.deepEqual(
      Object.keys(verdict.counts).filter((id) => id !== 'I1'),
      [],
    );
  assert.ok(all.some(({ verdict }) => verdict.counts.I1 !== undefined));
});

const refs = policyByName('refs');
const hazard = policyByName('hazard');
const eager = policyByName('eager');

/** Designs with their protection taken out, and an invariant that must report one of the schedules. */
const DEFECTS: readonly (readonly [string, string, ReclaimPolicy])[] = [
  ['refs that takes its reference without a look', 'I1', { ...refs, descend: policyByName('refs-naive').descend }],
  ['refs whose unlinker frees whoever holds the table', 'I7', { ...refs, unlinked: () => HOOK.done, countsHolders: false }],
  ['hazard that frees without a scan', 'I1', { ...hazard, mayReclaim: () => HOOK.done }],
  ['hazard that publishes nothing', 'I1', { ...hazard, tracksTables: false }],
  ['eager that does not lock what it tears down', 'I7', { ...eager, locksTeardown: false }],
];

for (const [defect, invariant, policy] of DEFECTS) {
  test(`${defect} is reported by ${invariant}`, () => {
    const found = new Set([...sweep(policy, [...TO_THE_END, 200, 400])].flatMap(({ verdict }) => Object.keys(verdict.counts)));
    assert.ok(found.has(invariant), `found ${[...found].join(', ')}`);
  });
}

test('a hook that waits blocks its walker until somebody wakes it, and the walk goes on', () => {
  const rcu = policyByName('rcu');
  let waited = 0;
  const oneAtATime: ReclaimPolicy = {
    ...rcu,
    enter(machine, walker) {
      if (machine.stage2(walker).inSection.every((inside) => inside === 0)) return rcu.enter(machine, walker);
      waited += 1;
      return HOOK.wait;
    },
    exit(machine, walker) {
      const outcome = rcu.exit(machine, walker);
      for (let actor = 0; actor < machine.world.actors; actor += 1) machine.wake(actor);
      return outcome;
    },
  };
  for (const { verdict } of sweep(oneAtATime, TO_THE_END)) assert.deepEqual(verdict.violations, []);
  assert.ok(waited > 0);
});
