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
      else worker.pc = PC.reclaimAsk;
      return;
    case PC.reclaimAsk: {
      if (worker.stallNs > 0) {
        stall(machine, worker);
        return;
      }
      const outcome = machine.policy.mayReclaim(machine, worker);
      if (outcome === HOOK.done) worker.pc = PC.reclaimBegin;
      else if (outcome === HOOK.wait) machine.block(worker);
      return;
    }
    case PC.reclaimBegin: {
      const table = world.retired[world.retiredHead]!;
      const level = world.retired[world.retiredHead + 1]!;
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
