import { HI_LOCKED, isLocked, leafAttributesHi, leafAttributesLo, PROT, spanShift } from '@s2lab/arch';
import { K, OP, RESULT, UNLINK_CAUSE, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { beginWalk, visitDone } from './control.ts';
import { backedShift } from './fault-steps.ts';
import { FLUSH, flush } from './flush-steps.ts';
import type { Machine } from './machine.ts';
import { installBlock } from './map-steps.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * What a host does about split blocks when the dirty logging of a memslot ends, chunk by chunk under the write side of the lock. arm64 does
 * nothing (`lazy`). The rivals: unmap the memslot (`unmap-memslot`); x86's zap of each table that could be a block, Linux
 * arch/x86/kvm/mmu/tdp_mmu.c zap_collapsible_spte_range() before 6.13 (`zap-parent`); x86's recovery in place, recover_huge_pages_range()
 * since 6.13 (`in-place`).
 */

/** Begins the walk, or the first of two, over one chunk of a memslot whose dirty logging has ended. */
export function beginCollapse(machine: Machine, walker: Walker, from: number, bytes: number): void {
  switch (machine.config.collapse) {
    case 'unmap-memslot':
      beginWalk(walker, OP.unmap, WALK_FLAG.leaf | WALK_FLAG.tablePost, from, bytes, PC.hostChunkDone);
      return;
    case 'zap-parent':
      beginWalk(walker, OP.zap, WALK_FLAG.tablePre, from, bytes, PC.hostChunkDone);
      return;
    case 'in-place':
      beginRecovery(machine, walker, WALK_FLAG.tablePre, from, bytes, PC.collapseBroken);
      walker.brokenTables = 0;
      return;
    case 'lazy':
      assert(false, 'a host that collapses lazily does not walk when dirty logging ends');
  }
}

/** A walk of a recovery: it is asked for the blocks that a fault would map now. */
function beginRecovery(machine: Machine, walker: Walker, flags: number, from: number, bytes: number, back: number): void {
  const { shape, features } = machine.stage2(walker);
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  assert(memslot !== undefined, 'the memslot of a dirty log operation stays while the operation runs');
  walker.prot = PROT.r | (memslot.readOnly ? 0 : PROT.w) | (machine.config.dic ? PROT.x : 0);
  walker.phys = memslot.pa + (from - memslot.ipa);
  walker.attrLo = leafAttributesLo(walker.prot, shape, features);
  walker.attrHi = leafAttributesHi(walker.prot);
  beginWalk(walker, OP.recover, flags, from, bytes, back);
}

/** One step of a collapse by the host. */
export function stepCollapse(machine: Machine, walker: Walker): void {
  const { start, end } = walker;
  switch (walker.pc) {
    case PC.collapseCount: {
      const child = machine.oldChild(walker);
      const count = machine.world.pages.references[child]!;
      machine.commit(walker, K.referenceRead, 0, 0, child, 0, 0, 0, 0, 0, count, 0);
      // Nothing is mapped below: there is nothing to recover.
      if (count === 1) visitDone(walker, RESULT.ok);
      else walker.pc = PC.collapseBreak;
      return;
    }
    case PC.collapseBreak:
      breakTable(machine, walker);
      return;
    case PC.collapsePut:
      machine.changeReference(walker, walker.table, -1);
      visitDone(walker, RESULT.ok);
      return;
    case PC.collapseBroken:
      walker.walkId = 0;
      if (walker.brokenTables === 0) walker.pc = PC.hostChunkDone;
      else flush(machine, walker, FLUSH.range, start, end - start, -1, PC.collapseFlushed);
      return;
    case PC.collapseFlushed:
      beginRecovery(machine, walker, WALK_FLAG.leaf, start, end - start, PC.hostChunkDone);
      return;
    default:
      assert(false, `actor ${walker.actor}: no collapse step at pc ${walker.pc}`);
  }
}

/** Entry of the visitors: zap, and both walks of a recovery. */
export function visitCollapse(machine: Machine, walker: Walker): void {
  if (walker.visit === WALK_FLAG.leaf) {
    // The lock is held to write since the first walk: what is locked in this range, this walker has locked.
    if (isLocked(walker.oldLo, walker.oldHi)) installBlock(machine, walker);
    else visitDone(walker, RESULT.ok);
  } else if (!couldBeBlock(machine, walker)) {
    visitDone(walker, RESULT.ok);
  } else if (walker.op === OP.zap) {
    walker.newLo = 0;
    walker.newHi = 0;
    walker.pc = PC.mapBreak;
  } else {
    walker.pc = PC.collapseCount;
  }
}

/** Whether the host could map what the table at hand maps by one block. @source kvm_mmu_max_mapping_level() */
function couldBeBlock(machine: Machine, walker: Walker): boolean {
  const { shape } = machine.world;
  const memslot = machine.stage2(walker).memslotAt(walker.visitAddr);
  const backing = memslot === undefined ? undefined : machine.backings.get(memslot.id);
  if (memslot === undefined || backing === undefined || walker.level < shape.minBlockLevel) return false;
  return spanShift(shape, walker.level) <= backedShift(shape, memslot, backing, walker.visitAddr);
}

/**
 * Breaks the link to a table. The flush waits until all of the chunk is broken, and the block until after the flush: so the locked descriptor
 * keeps the address of the table, which nobody else knows any more.
 */
function breakTable(machine: Machine, walker: Walker): void {
  const child = machine.oldChild(walker);
  machine.storeDescriptor(walker, K.descriptorStored, walker.oldLo & ~3, walker.oldHi | HI_LOCKED);
  const cause = UNLINK_CAUSE.collapse;
  machine.commit(walker, K.tableUnlinked, walker.level, walker.slot, child, 0, 0, 0, 0, walker.visitAddr, walker.table, cause);
  walker.brokenTables += 1;
  walker.pc = PC.collapsePut;
}
