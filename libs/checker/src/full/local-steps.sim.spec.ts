import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PC, Prng } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';
import { CanonicalForm } from './canonical-form.ts';
import { settle } from './choices.ts';
import type { FullBounds } from './full-bounds.ts';
import { FULL_SCENARIOS } from './full-scenarios.ts';
import { isLocalStep } from './local-steps.ts';
import { MachineStates } from './machine-states.ts';
import { SpentState } from './spent-state.ts';
import { StaleLinks } from './stale-links.ts';
import { Subject } from './subject.ts';

const GUESTS: FullBounds = { walkers: 1, collapsers: 1, entries: 1, slots: 2, hardware: true };

/** Drops what vCPUs have cached. A hardware walk that stands where what is cached would lead it begins anew: that comes to the same. */
function uncached(subject: Subject): void {
  const { machine } = subject;
  for (const walker of machine.walkers.slice(0, machine.config.vcpus)) {
    const { tlb, invalidationEpoch } = machine.stage2(walker);
    const step = walker.pc === PC.guestRead && walker.hardwareEpoch === invalidationEpoch ? tlb.findStep(walker.actor, walker.ipa) : -1;
    if (step >= 0 && tlb.walkNext[step] === walker.hardwareTable) {
      walker.pc = PC.guestAccess;
      subject.moved |= 1 << walker.actor;
    }
    tlb.dropAll(walker.actor, walker.actor + 1);
  }
}

/**
 * Goes through schedules drawn by chance. Wherever an actor has a local step, it is made before and after each step that another can make: what follows, once
 * all local steps are made, must be one state but for what vCPUs have cached of tables. Returns how many such pairs there were.
 */
function localPairs(scenario: string, policy: string, schedules: number): number {
  const setting = FULL_SCENARIOS.find(({ name }) => name === scenario)!.build(GUESTS);
  const subject = new Subject(setting, policyByName(policy));
  const { machine } = subject;
  const stale = new StaleLinks(machine.world.actors);
  const form = new CanonicalForm(subject, stale, { tables: true, walkers: false, spent: new SpentState(subject, [], true) });
  const states = new MachineStates(subject, stale, form);
  const first = states.present.slice();
  const prng = new Prng(1);
  const step = (actor: number): void => {
    machine.columns.clear();
    subject.step(actor);
    subject.clearDead();
    stale.fold(machine.columns, 0);
    states.note();
  };
  const settled = (from: Uint32Array, actors: readonly number[]): string => {
    states.load(from, 0);
    for (const actor of actors) if (subject.isReady(actor)) step(actor);
    machine.columns.clear();
    settle(subject);
    subject.clearDead();
    stale.fold(machine.columns, 0);
    uncached(subject);
    states.note();
    return states.describe();
  };
  let pairs = 0;
  for (let schedule = 0; schedule < schedules; schedule += 1) {
    let from = first;
    for (;;) {
      states.load(from, 0);
      const ready = machine.walkers.filter(({ actor }) => subject.isReady(actor));
      if (ready.length === 0) break;
      for (const { actor: a } of ready.filter((walker) => isLocalStep(subject, walker))) {
        for (const { actor: b } of ready.filter(({ actor }) => actor !== a)) {
          states.load(from, 0);
          const pcs = `actors ${a} and ${b} at pc ${machine.walkers[a]!.pc} and ${machine.walkers[b]!.pc}`;
          assert.ok(settled(from, [a, b]) === settled(from, [b, a]), `${scenario}, ${policy}: ${pcs}`);
          pairs += 1;
        }
      }
      states.load(from, 0);
      step(ready[prng.below(ready.length)]!.actor);
      from = states.present.slice();
    }
  }
  return pairs;
}

for (const [scenario, policies] of [
  ['collapse-protect', ['rcu', 'refs', 'hazard', 'epoch', 'rwlock', 'v6.1']],
  ['collapse-split', ['rcu', 'refs', 'hyp-lock']],
  ['collapse-young', ['rcu', 'refs']],
  ['unmap-fault', ['epoch', 'hazard']],
] as const) {
  for (const policy of policies) {
    test(`${scenario}, ${policy}: a local step may be made before or after any step of another`, () => {
      assert.ok(localPairs(scenario, policy, 12) > 500);
    });
  }
}
