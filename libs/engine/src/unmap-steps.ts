import { isNormalMemory, isTable, isValid, spanBytes, outputAddress } from '@s2lab/arch';
import { K, RESULT, UNLINK_CAUSE, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { FLUSH, flush } from './flush-steps.ts';
import { dropsIdleTables, isCounted } from './host-coalescing.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';
import { leaveOperation, visitDone } from './control.ts';

/*
 * The unmap visitor: Linux hyp/pgtable.c stage2_unmap_walker(), stage2_unmap_put_pte(). Runs alone (write side): a table found empty is
 * freed at once.
 */

/** Whether leaf invalidations are left to one range flush after the walk. @source stage2_unmap_defer_tlb_flush() */
function defersFlush(machine: Machine, walker: Walker): boolean {
  return machine.config.tlbRange && machine.config.fwb && machine.policyOf(walker).visitors === undefined;
}

/** Entry of the visitor. */
export function visitUnmap(walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePost) walker.pc = PC.unmapCount;
  else if (walker.oldLo === 0 && walker.oldHi === 0) visitDone(walker, RESULT.ok);
  else walker.pc = PC.unmapClear;
}

/** One step of unmapping a descriptor. */
export function stepUnmap(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.unmapClear:
      clearLeaf(machine, walker);
      return;
    case PC.unmapPut: {
      if (isCounted(machine, walker, walker.oldLo, walker.oldHi)) machine.changeReference(walker, walker.table, -1);
      if (isValid(walker.oldLo) && cleansAfterUnmap(machine, walker)) walker.pc = PC.unmapClean;
      else visitDone(walker, RESULT.ok);
      return;
    }
    case PC.unmapClean:
      cleanOld(machine, walker);
      visitDone(walker, RESULT.ok);
      return;
    case PC.unmapCount: {
      const child = machine.oldChild(walker);
      const count = machine.world.pages.references[child]!;
      machine.commit(walker, K.referenceRead, 0, 0, child, 0, 0, 0, 0, 0, count, 0);
      if (count === 1) walker.pc = PC.unmapClearTable;
      else visitDone(walker, RESULT.ok);
      return;
    }
    case PC.unmapClearTable: {
      const child = machine.oldChild(walker);
      machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
      machine.commit(
        walker,
        K.tableUnlinked,
        walker.level,
        walker.slot,
        child,
        0,
        0,
        0,
        0,
        walker.visitAddr,
        walker.table,
        walker.annotation !== 0 ? UNLINK_CAUSE.idle : UNLINK_CAUSE.empty,
      );
      // A table whose leaves are not counted may be full of them: one address does not name what is cached of it.
      const kind = dropsIdleTables(machine, walker) ? FLUSH.vmid : FLUSH.ipa;
      flush(machine, walker, kind, walker.visitAddr, 0, -1, PC.unmapPutParent);
      return;
    }
    case PC.unmapPutParent:
      machine.changeReference(walker, walker.table, -1);
      walker.pc = PC.unmapPutChild;
      return;
    case PC.unmapPutChild:
      machine.putTable(walker, machine.oldChild(walker), walker.level + 1);
      visitDone(walker, RESULT.ok);
      return;
    case PC.unmapFlushed:
      afterWalk(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no unmap step at pc ${walker.pc}`);
  }
}

/** With FWB the guest's attributes cannot bypass the cache: there is nothing to clean. */
function cleansAfterUnmap(machine: Machine, walker: Walker): boolean {
  const { features, cleansCaches } = machine.stage2(walker);
  return cleansCaches && !features.fwb && isNormalMemory(walker.oldLo, features);
}

function clearLeaf(machine: Machine, walker: Walker): void {
  assert(!isTable(walker.oldLo, walker.level), 'a table is not cleared as a leaf');
  machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
  if (isValid(walker.oldLo) && !defersFlush(machine, walker))
    flush(machine, walker, FLUSH.ipa, walker.visitAddr, 0, walker.level, PC.unmapPut);
  else walker.pc = PC.unmapPut;
}

/** Data cache maintenance of what the descriptor mapped before. */
export function cleanOld(machine: Machine, walker: Walker): void {
  const bytes = spanBytes(machine.world.shape, walker.level);
  const address = outputAddress(machine.world.shape, walker.oldLo, walker.oldHi);
  machine.commit(walker, K.dcacheCleaned, 0, 0, 0, bytes, bytes / 0x1_0000_0000, address, address / 0x1_0000_0000, walker.visitAddr, 0, 0);
}

/** The walk is over; deferred leaf invalidations are always issued, even if nothing was mapped. */
function afterWalk(machine: Machine, walker: Walker): void {
  const back = walker.opReturn;
  if (defersFlush(machine, walker)) flush(machine, walker, FLUSH.range, walker.start, walker.end - walker.start, -1, back);
  else leaveOperation(walker);
}
