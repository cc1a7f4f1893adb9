import { INJECTED, K } from '@s2lab/events';
import { assert } from './assert.ts';
import { beginTeardown } from './free-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import { HOOK } from './policy.ts';
import type { Walker } from './walker.ts';

/*
 * The reclaim worker: takes retired sub-trees, oldest first, asks the policy whether nobody can be inside any more, and tears them down.
 * Under `rcu` it is the softirq that runs stage2_free_unlinked_table_rcu_cb() (Linux arch/arm64/kvm/mmu.c).
 */

/** One step of the reclaim worker. */
export function stepReclaim(machine: Machine, worker: Walker): void {
  const { world } = machine;
  switch (worker.pc) {
    case PC.reclaimIdle:
      if (world.retiredCount === 0) machine.block(worker);
      else turnTo(worker, nextRetired(machine, worker.vmid));
      return;
    case PC.reclaimAsk:
      if (worker.stallNs > 0) stall(machine, worker);
      else ask(machine, worker);
      return;
    case PC.reclaimBegin: {
      const { retired, retiredHead } = machine.stage2(worker);
      const table = retired[retiredHead]!;
      const level = retired[retiredHead + 1]!;
      worker.memslot = table;
      machine.commit(worker, K.reclaimBegan, level, 0, table, 0, 0, 0, 0, 0, 0, 0);
      beginTeardown(machine, worker, table, level + 1, PC.reclaimEnd);
      return;
    }
    case PC.reclaimEnd:
      worker.walkId = 0;
      machine.commit(worker, K.reclaimEnded, 0, 0, worker.memslot, 0, 0, 0, 0, 0, 0, 0);
      worker.pc = PC.reclaimIdle;
      if (world.retiredCount === 0) for (const walker of machine.walkers) if (walker.pc === PC.hostWait) machine.wake(walker.actor);
      return;
    default:
      assert(false, `the reclaim worker has no step at pc ${worker.pc}`);
  }
}

/** Fault injection: what the worker waits for does not come, or it gets no core; what is retired meanwhile stays pending. */
function stall(machine: Machine, worker: Walker): void {
  machine.note(worker, K.faultInjected, 0, INJECTED.gracePeriodStalled, worker.stallNs);
  machine.spend(worker.stallNs);
  worker.stallNs = 0;
}

/** The next stage-2 with something retired, after `vmid` and round to it again; -1 when there is none. */
function nextRetired(machine: Machine, vmid: number): number {
  const { stage2s } = machine.world;
  for (let i = 1; i <= stage2s.length; i += 1) {
    const next = (vmid + i) % stage2s.length;
    if ((stage2s[next]?.retiredCount ?? 0) > 0) return next;
  }
  return -1;
}

function turnTo(worker: Walker, vmid: number): void {
  worker.vmid = vmid;
  worker.hostPhase = 0;
  worker.pc = PC.reclaimAsk;
}

/** Asks the policy of the present stage-2. While it must wait the worker looks after the others, until all of them have said so. */
function ask(machine: Machine, worker: Walker): void {
  const outcome = machine.policyOf(worker).mayReclaim(machine, worker);
  if (outcome === HOOK.done) worker.pc = PC.reclaimBegin;
  if (outcome !== HOOK.wait) {
    worker.hostPhase = 0;
    return;
  }
  const { stage2s } = machine.world;
  worker.hostPhase += 1;
  const asked = worker.hostPhase;
  const waiting = stage2s.reduce((sum, stage2) => sum + ((stage2?.retiredCount ?? 0) > 0 ? 1 : 0), 0);
  worker.vmid = nextRetired(machine, worker.vmid);
  if (asked < waiting) return;
  worker.hostPhase = 0;
  machine.block(worker);
}
