import { test } from 'node:test';
import assert from 'node:assert/strict';
import { assembleFleet } from '@s2lab/fleet';
import type { LabEvent } from '@s2lab/events';
import { decodeEvent } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { POLICIES } from '@s2lab/policies';
import { builtinScenarios } from '@s2lab/scenarios';

const WRITER = 0;
const UNSAFE: readonly string[] = ['refs-naive', 'eager'];

/** The built-in scenario under a policy: its events and what the verifier says. */
function raced(policy: string): { readonly events: readonly LabEvent[]; readonly verdict: Verdict } {
  const { producer } = assembleFleet(builtinScenarios.get('reference-race')!, { seed: 1, policy });
  const verifier = new Verifier();
  const events: LabEvent[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    verifier.fold(frame);
    for (let i = 0; i < frame.rows.length; i += 1) events.push(decodeEvent(frame.rows, i, frame.firstSeq + i, 0));
  }
  return { events, verdict: verifier.finish() };
}

test('reference-race: the log of naive references fails I1, where the page went between the read of its link and the reference', () => {
  const { events, verdict } = raced('refs-naive');
  const violation = verdict.violations.find(({ invariant }) => invariant === 'I1');
  assert.ok(violation !== undefined, formatVerdict(verdict));
  const touch = events[violation.seq]!;
  assert.ok(touch.kind === 'descriptor-read' && touch.actor === WRITER && touch.level === 3);
  const before = events.slice(0, violation.seq);
  const linkRead = before.findLastIndex((e) => e.kind === 'descriptor-read' && e.actor === WRITER && e.level === 2);
  const preempted = before.findLastIndex((e) => e.kind === 'fault-injected' && e.actor === WRITER);
  const freed = before.findLastIndex((e) => e.kind === 'table-freed' && e.table === touch.table);
  const reference = before.findLastIndex((e) => e.kind === 'walker-reference-got' && e.actor === WRITER && e.table === touch.table);
  assert.ok(linkRead < preempted && preempted < freed && freed < reference && reference < violation.seq);
  assert.notEqual(before[freed]!.actor, WRITER);
  assert.match(violation.because, /was freed by event \d+ and a walker touched it afterwards/);
});

for (const { name } of POLICIES.filter((policy) => !UNSAFE.includes(policy.name))) {
  test(`reference-race: ${name} holds`, () => {
    const { verdict } = raced(name);
    assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  });
}
