import { HI_LOCKED, isLocked } from '@s2lab/arch';
import { OP, RESULT, K, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';
import { isCounted } from './host-coalescing.ts';
import { beginNestedWalk, visitDone } from './control.ts';

/*
 * The teardown visitor: Linux hyp/pgtable.c stage2_free_walker(), kvm_pgtable_stage2_free_unlinked(). Nobody else may be inside; no TLBI.
 * A policy that tears down beside other walkers locks each descriptor first, tables before what is below them, as the April 2022 series
 * "KVM: arm64: Parallelize stage 2 fault handling" (13/17, "Tear down unlinked page tables in parallel walk") does.
 */

/** Starts the teardown of the unlinked sub-tree under `table`, whose descriptors are of `level`; goes on at `back` when its root is freed. */
export function beginTeardown(machine: Machine, walker: Walker, table: number, level: number, back: number): void {
  const pre = machine.policyOf(walker).locksTeardown ? WALK_FLAG.tablePre : 0;
  beginNestedWalk(machine, walker, OP.freeUnlinked, WALK_FLAG.leaf | pre | WALK_FLAG.tablePost, table, level);
  walker.opReturn = back;
}

/** Entry of the visitor. */
export function visitFree(machine: Machine, walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePost) walker.pc = PC.freeCount;
  else if (walker.op === OP.freeUnlinked && machine.policyOf(walker).locksTeardown) visitLocking(walker);
  else if (!isCounted(machine, walker, walker.oldLo, walker.oldHi)) visitDone(walker, RESULT.ok);
  else walker.pc = PC.freeLeaf;
}

/** Another walker's lock is waited for by reading again: whoever holds it makes the descriptor soon. */
function visitLocking(walker: Walker): void {
  walker.pc = isLocked(walker.oldLo, walker.oldHi) ? PC.walkRead : PC.freeLock;
}

/** Locks the descriptor, so that no other walker changes it any more; lost to another walker, it is read again. */
function lock(machine: Machine, walker: Walker): void {
  if (!machine.trySet(walker, true, 0, HI_LOCKED)) walker.pc = PC.walkRead;
  else if (walker.visit === WALK_FLAG.tablePre) walker.pc = PC.walkFollow;
  else if (!isCounted(machine, walker, walker.oldLo, walker.oldHi)) visitDone(walker, RESULT.ok);
  else walker.pc = PC.freeLeaf;
}

/** One step of a teardown. */
export function stepFree(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.freeLock:
      lock(machine, walker);
      return;
    case PC.freeLeaf:
      machine.changeReference(walker, walker.table, -1);
      visitDone(walker, RESULT.ok);
      return;
    case PC.freeCount: {
      const child = machine.oldChild(walker);
      if (count(machine, walker, child) === 1) walker.pc = PC.freePutParent;
      else visitDone(walker, RESULT.ok);
      return;
    }
    case PC.freePutParent:
      machine.changeReference(walker, walker.table, -1);
      walker.pc = PC.freePutChild;
      return;
    case PC.freePutChild:
      machine.putTable(walker, machine.oldChild(walker), walker.level + 1);
      walker.pc = PC.freeClear;
      return;
    case PC.freeClear:
      machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
      visitDone(walker, RESULT.ok);
      return;
    case PC.freeRootCount:
      count(machine, walker, walker.table);
      walker.pc = PC.freeRootPut;
      return;
    case PC.freeRootPut: {
      machine.putTable(walker, walker.table, walker.topLevel);
      const back = walker.opReturn;
      walker.popWalk();
      walker.pc = back;
      return;
    }
    default:
      assert(false, `actor ${walker.actor}: no teardown step at pc ${walker.pc}`);
  }
}

function count(machine: Machine, walker: Walker, table: number): number {
  const references = machine.world.pages.references[table]!;
  machine.commit(walker, K.referenceRead, 0, 0, table, 0, 0, 0, 0, 0, references, 0);
  return references;
}
