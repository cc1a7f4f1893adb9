import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HOOK } from '@s2lab/engine';
import { Verifier } from '@s2lab/invariants';
import { UNLIMITED, whereRefused } from '@s2lab/testkit';
import type { FullBounds } from './full-bounds.ts';
import type { FullCheckOptions, FullReport } from './full-check.ts';
import { FullCheck, fullScenario, sampling, settingOf } from './full-check.ts';
import type { FullOrder } from './full-search-options.ts';
import { Subject } from './subject.ts';

const SMALL: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
const SCENARIO = 'two-collapses';

/** Refused a reference, the walker waits for somebody to wake it, which nobody does. */
const waits = whereRefused(HOOK.wait);

function checked(order: FullOrder, limits: Partial<FullCheckOptions> = {}): { report: FullReport; violations: object } {
  const check = new FullCheck({ ...UNLIMITED, scenario: SCENARIO, policy: waits, bounds: SMALL, order, ...limits });
  while (check.advance(100));
  const verifier = new Verifier();
  verifier.fold(check.log()!);
  return { report: check.report(), violations: verifier.finish().counts };
}

/** Whether the machine is stuck after the choices of a schedule; who cannot step is passed over. */
function isStuckAfter(schedule: readonly number[]): boolean {
  const subject = new Subject(settingOf(fullScenario(SCENARIO), SMALL), waits);
  for (const choice of schedule) if (subject.isReady(choice)) subject.step(choice);
  return subject.isStuck;
}

test('actors that wait for ever are a deadlock, which every order shows by the fewest choices', () => {
  const { report, violations } = checked('bfs');
  const { kind, because, schedule } = report.counterexample!;
  assert.deepEqual([kind, report.shortest, violations], ['deadlock', true, {}]);
  assert.match(because, /^nobody can step: vCPU \d, the reclaim worker wait for ever$/);
  for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
    const { shortest, counterexample } = checked(order).report;
    assert.deepEqual([shortest, counterexample!.kind, counterexample!.schedule.length], [true, 'deadlock', schedule.length]);
  }
});

test('a deadlock is shown without the choices that it can do without where no search for the fewest comes to its end', () => {
  for (const order of ['dfs', 'preemptions'] satisfies FullOrder[]) {
    const { report, violations } = checked(order, { maxStates: 10, firstStates: 5000 });
    assert.deepEqual([report.shortest, report.counterexample!.kind, violations], [false, 'deadlock', {}]);
    assert.equal(report.counterexample!.schedule.length, checked('bfs').report.counterexample!.schedule.length);
  }
});

test('a schedule drawn by chance that ends in a deadlock is shrunk until no choice can be left out', () => {
  const sample = sampling(SCENARIO, SMALL, waits, { draw: 'pct', seed: 1, executions: 20_000, depth: 3, except: [] });
  while (sample.advance(100));
  const { kind, schedule, frame } = sample.counterexample()!;
  assert.equal(kind, 'deadlock');
  assert.equal(isStuckAfter(schedule), true);
  for (const left of schedule.keys()) assert.equal(isStuckAfter(schedule.toSpliced(left, 1)), false, `choice ${left} can be left out`);
  const verifier = new Verifier();
  verifier.fold(frame);
  assert.deepEqual(verifier.finish().counts, {});
});
