import { test } from 'node:test';
import assert from 'node:assert/strict';
import { GOOD_TRACES, MUTANTS } from '@s2lab/testkit';
import type { Frame } from '@s2lab/events';
import { formatVerdict, RULES, Verifier } from './index.ts';

function judge(frames: readonly Frame[]): ReturnType<Verifier['finish']> {
  const verifier = new Verifier();
  for (const frame of frames) verifier.fold(frame);
  return verifier.finish();
}

for (const good of GOOD_TRACES) {
  test(`holds: ${good.name}`, () => {
    const verdict = judge(good.frames());
    assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  });
}

for (const mutant of MUTANTS) {
  test(`${mutant.invariant} and no other finds: ${mutant.name}`, () => {
    const verdict = judge(mutant.frames());
    assert.deepEqual(Object.keys(verdict.counts), [mutant.invariant], formatVerdict(verdict));
    const [first] = verdict.violations;
    assert.equal(first!.witness.at(-1)!.seq, first!.seq, 'the proof ends with the event that broke the rule');
    assert.match(first!.because, /^[^\n.]+$/, 'one sentence of because');
  });
}

test("the mutation score is 100 %: every rule is tripped by a mutant and by no other rule's", (t) => {
  const killed = new Map<string, number>();
  const rows = RULES.map((rule) => {
    const own = MUTANTS.filter((mutant) => mutant.invariant === rule.id);
    const found = own.filter((mutant) => Object.keys(judge(mutant.frames()).counts).join() === rule.id).length;
    killed.set(rule.id, own.length === 0 ? 0 : found / own.length);
    return `${rule.id.padEnd(4)} ${rule.name.padEnd(42)} ${String(found).padStart(2)} of ${String(own.length).padStart(2)}`;
  });
  t.diagnostic(`mutation score\n${rows.join('\n')}`);
  assert.ok(
    RULES.every((rule) => killed.get(rule.id) === 1),
    rows.join('\n'),
  );
});
