import { test } from 'node:test';
import assert from 'node:assert/strict';
import { policyByName } from '@s2lab/policies';
import { advance, settle } from './choices.ts';
import { Footprint } from './footprints.ts';
import type { FullBounds } from './full-bounds.ts';
import { FULL_SCENARIOS } from './full-scenarios.ts';
import { MachineStates } from './machine-states.ts';
import { StaleLinks } from './stale-links.ts';
import { Subject } from './subject.ts';

const WALKS: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: false };
const GUESTS: FullBounds = { ...WALKS, hardware: true };

/**
 * Makes all steps from each state, to at most `most` states.
 * Returns how many pairs of them commute by their footprints: both orders must lead to one state.
 */
function pairsThatCommute(scenario: string, policy: string, bounds: FullBounds, most: number): number {
  const setting = FULL_SCENARIOS.find(({ name }) => name === scenario)!.build(bounds);
  const subject = new Subject(setting, policyByName(policy));
  const { machine } = subject;
  settle(subject);
  subject.clearDead();
  const stale = new StaleLinks(machine.world.actors);
  const states = new MachineStates(subject, stale);
  const step = (actor: number, reduce: boolean): void => {
    machine.columns.clear();
    advance(subject, actor, reduce);
    stale.fold(machine.columns, 0);
    states.note();
  };
  const footprints = machine.walkers.map(() => new Footprint());
  const rows = [states.present.slice()];
  const known = new Set([rows[0]!.join()]);
  let pairs = 0;
  for (let at = 0; at < rows.length; at += 1) {
    const from = rows[at]!;
    states.load(from, 0);
    const ready = machine.walkers.filter(({ actor }) => subject.isReady(actor)).map(({ actor }) => actor);
    for (const walker of machine.walkers) footprints[walker.actor]!.tell(subject, walker);
    const pcs = machine.walkers.map(({ pc }) => pc);
    const commuting = ready.flatMap((a) =>
      ready.filter((b) => a < b && footprints[a]!.commutes(footprints[b]!)).map((b) => [a, b] as const),
    );
    for (const a of ready)
      for (const b of ready) assert.equal(footprints[a]!.commutes(footprints[b]!), footprints[b]!.commutes(footprints[a]!));
    for (const [a, b] of commuting) {
      const ends = [
        [a, b],
        [b, a],
      ].map(([first, second]) => {
        states.load(from, 0);
        step(first!, false);
        step(second!, false);
        return states.describe();
      });
      assert.ok(ends[0] === ends[1], `${scenario}, ${policy}: actors ${a} and ${b} at pc ${pcs[a]!} and ${pcs[b]!}`);
      pairs += 1;
    }
    for (const actor of ready) {
      states.load(from, 0);
      step(actor, true);
      const key = states.present.join();
      if (known.has(key) || rows.length >= most) continue;
      known.add(key);
      rows.push(states.present.slice());
    }
  }
  return pairs;
}

for (const [scenario, policies, bounds] of [
  ['two-collapses', ['rcu', 'refs', 'epoch', 'hazard', 'rwlock'], WALKS],
  ['collapse-split', ['rcu', 'refs', 'hyp-lock'], WALKS],
  ['unmap-fault', ['rcu', 'hazard', 'epoch'], { ...WALKS, walkers: 0, collapsers: 2 }],
  ['destroy-fault', ['refs', 'rcu'], WALKS],
  ['collapse-young', ['rcu', 'refs'], GUESTS],
  ['collapse-protect', ['epoch', 'refs'], GUESTS],
] as const) {
  for (const policy of policies) {
    test(`${scenario}, ${policy}: steps that commute by their footprints lead to one state in either order`, () => {
      assert.ok(pairsThatCommute(scenario, policy, bounds, 1500) > 20);
    });
  }
}
