import { hexAddress } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { remembered } from '../words.ts';

/** `cause` of a machine that ran to the end of its workload. */
const COMPLETE = 0;
/** Most times that one walk may start anew: many more than there are actors that could take a table away under it. */
const RESTARTS_MAX = 1000;
/** Most faults of one vCPU at one address in a row, without an access in between and with no locked descriptor to wait for. */
const FAULTS_MAX = 100;
const NOWHERE = -1;

/** I16: what begins ends. */
export const boundedWalks: Rule = {
  id: 'I16',
  name: 'walks end and retries are bounded',
  prose:
    `When a machine has completed its workload, no walk is open. A walk starts anew at most ${RESTARTS_MAX} times. A vCPU faults at one address ` +
    `at most ${FAULTS_MAX} times in a row without getting anywhere: its access neither goes through nor aborts, and no descriptor is locked by a walker that it must wait for.`,
  source: 'Linux mmu.c kvm_handle_guest_abort() (-EAGAIN: the guest faults again), hyp/pgtable.c kvm_pgtable_walk()',
  state: 'per actor: open walks; address of its last fault, how many times in a row, since when',
  attach(site) {
    const { on, world, report, keep } = site;
    const { actors, locked } = world;
    /** Faults of each actor at one address in a row: where, since when, how many. */
    const last = keep(() => new ActorNumbers(NOWHERE));
    const since = keep(() => new ActorNumbers(0));
    const times = keep(() => new ActorNumbers(0));
    on.before([K.faultTaken], (e) => {
      const { actor, ipa, seq } = e;
      if (last.of(actor) !== ipa || locked.count > 0) {
        last.set(actor, ipa);
        since.set(actor, seq);
        times.set(actor, 0);
      }
      times.set(actor, times.of(actor) + 1);
      // Told once: a vCPU that is stuck would fill the report.
      if (times.of(actor) === FAULTS_MAX + 1) stuck(site, e, since.of(actor));
    });
    on.before([K.guestAccessed, K.guestAborted], (e) => {
      last.clear(e.actor);
    });
    on.before([K.walkEnded], (e) => {
      if (e.aux > RESTARTS_MAX) restarted(site, e);
    });
    on.before([K.machineStopped], (e) => {
      if (e.arg !== COMPLETE || actors.walking === 0) return;
      for (let actor = 0; actor < actors.count; actor++) {
        const top = actors.top(actor);
        if (top < 0) continue;
        report(e, () => ({
          because: 'the machine completed its workload although a walk had not ended',
          witness: [remembered(actors.walkSince[top]!, world, actor, 'began a walk')],
        }));
      }
    });
  },
};

function stuck({ world, report }: RuleSite, e: EventCursor, first: number): void {
  const { ipa } = e;
  report(e, () => ({
    because: `the vCPU has faulted at ${hexAddress(ipa)} more than ${FAULTS_MAX} times in a row and its access does not get through`,
    witness: [remembered(first, world, e.actor, `faulted at ${hexAddress(ipa)} the first time`)],
  }));
}

function restarted({ world, report }: RuleSite, e: EventCursor): void {
  const { actors } = world;
  const top = actors.top(e.actor);
  report(e, () => ({
    because: `the walk started anew ${e.aux} times`,
    witness: top < 0 ? [] : [remembered(actors.walkSince[top]!, world, e.actor, 'began the walk')],
  }));
}
