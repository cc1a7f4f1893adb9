import { addressHi, addressLo, HI_XN, isAligned, isNormalMemory, isTable, isValid, LAST_LEVEL, LO_ACCESSED } from '@s2lab/arch';
import { LO_READ, LO_VALID, LO_WRITE, mayExecute, outputAddress, spanBytes } from '@s2lab/arch';
import { K, LINK_CAUSE, OP, RESULT, UNLINK_CAUSE, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { visitDone } from './control.ts';
import { FLUSH, flush } from './flush-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * The visitors as they were before parallel faults: Linux 6.1 hyp/pgtable.c stage2_map_walker() with its anchor, stage2_unmap_walker(),
 * stage2_free_walker(), stage2_attr_walker(), stage2_put_pte(). Every walk is alone, so a store is plain, no descriptor is ever locked, and
 * a collapse is part of the walk: the table is cleared on the way down, the references below it are dropped, the tables are freed on the
 * way back, and the block is installed last.
 */

/** Whether the machine's policy walks as Linux 6.1 did. */
export function walksAsV61(machine: Machine, walker: Walker): boolean {
  return machine.policyOf(walker).visitors === 'v6.1';
}

/** Entry of the visitors. @returns whether the operation has a visitor of its own here; if not, today's is the same */
export function visitV61(machine: Machine, walker: Walker): boolean {
  switch (walker.op) {
    case OP.map:
    case OP.annotate:
      visitMap(machine, walker);
      return true;
    case OP.unmap:
      visitUnmap(walker);
      return true;
    case OP.destroy:
      if (isEmpty(walker)) visitDone(walker, RESULT.ok);
      else walker.pc = PC.v61FreeParent;
      return true;
    case OP.wrprotect:
    case OP.relax:
    case OP.mkyoung:
      visitAttributes(walker);
      return true;
    case OP.age:
      visitAge(walker);
      return true;
    default:
      return false;
  }
}

function isEmpty(walker: Walker): boolean {
  return walker.oldLo === 0 && walker.oldHi === 0;
}

function visitMap(machine: Machine, walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePre) {
    if (walker.anchor !== 0 || !leafAllowed(machine, walker)) walker.pc = PC.walkKept;
    else walker.pc = PC.v61Unlink;
  } else if (walker.visit === WALK_FLAG.leaf) {
    if (walker.anchor === 0) mapLeaf(machine, walker);
    else if (isEmpty(walker)) visitDone(walker, RESULT.ok);
    else walker.pc = PC.v61DropLeaf;
  } else if (walker.anchor === 0) {
    visitDone(walker, RESULT.ok);
  } else if (walker.anchor === walker.level + 1) {
    walker.anchor = 0;
    walker.child = machine.oldChild(walker);
    walker.oldLo = 0;
    walker.oldHi = 0;
    choose(machine, walker);
    walker.pc = installs(machine, walker);
  } else {
    walker.child = machine.oldChild(walker);
    walker.pc = PC.v61PutChild;
  }
}

function leafAllowed(machine: Machine, walker: Walker): boolean {
  const { shape } = machine.world;
  if (walker.level < LAST_LEVEL && walker.forcePages !== 0) return false;
  if (walker.level < shape.minBlockLevel) return false;
  const span = spanBytes(shape, walker.level);
  if (span > walker.end - walker.visitAddr || !isAligned(walker.visitAddr, span)) return false;
  return walker.annotation !== 0 || isAligned(physical(walker), span);
}

function physical(walker: Walker): number {
  return walker.phys + (walker.visitAddr - walker.start);
}

/** The leaf or annotation to be made. */
function choose(machine: Machine, walker: Walker): void {
  walker.newLo = walker.attrLo;
  walker.newHi = walker.attrHi;
  if (walker.annotation !== 0) return;
  const { shape } = machine.world;
  walker.newLo |= addressLo(shape, physical(walker)) | (walker.level === LAST_LEVEL ? 3 : LO_VALID);
  walker.newHi |= addressHi(shape, physical(walker));
}

/** @source stage2_map_walk_leaf(), stage2_map_walker_try_leaf() */
function mapLeaf(machine: Machine, walker: Walker): void {
  if (!leafAllowed(machine, walker)) {
    if (walker.level === LAST_LEVEL) visitDone(walker, RESULT.einval);
    else if (walker.cachePages < 0) visitDone(walker, RESULT.enomem);
    else walker.pc = PC.v61Allocate;
    return;
  }
  choose(machine, walker);
  const bothValid = isValid(walker.oldLo) && isValid(walker.newLo);
  const sameButPermissions =
    ((walker.oldLo ^ walker.newLo) & ~(LO_READ | LO_WRITE)) === 0 && ((walker.oldHi ^ walker.newHi) & ~HI_XN) === 0;
  if (bothValid && sameButPermissions) visitDone(walker, RESULT.eagain);
  else if (!isEmpty(walker)) walker.pc = clears(walker);
  else walker.pc = installs(machine, walker);
}

/** First step of making the new descriptor: the cache maintenance that it needs. An annotation counts as executable, as it did there. */
function installs(machine: Machine, walker: Walker): number {
  if (isTable(walker.newLo, walker.level) || (walker.flags & WALK_FLAG.skipCmo) !== 0) return PC.v61Make;
  if (isNormalMemory(walker.newLo, machine.stage2(walker).features)) return PC.v61Clean;
  return mayExecute(walker.newHi) ? PC.v61Invalidate : PC.v61Make;
}

/** One step of a visitor. */
export function stepV61(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.v61Unlink:
      unlink(machine, walker);
      return;
    case PC.v61DropLeaf:
      machine.changeReference(walker, walker.table, -1);
      visitDone(walker, RESULT.ok);
      return;
    case PC.v61Allocate:
      allocate(machine, walker);
      return;
    case PC.v61Clear:
      clear(machine, walker, PC.v61ClearPut);
      return;
    case PC.v61ClearPut:
      machine.changeReference(walker, walker.table, -1);
      walker.pc = installs(machine, walker);
      return;
    case PC.v61Clean:
      maintain(machine, walker, K.dcacheCleaned, walker.newLo, walker.newHi);
      walker.pc = mayExecute(walker.newHi) ? PC.v61Invalidate : PC.v61Make;
      return;
    case PC.v61Invalidate:
      maintain(machine, walker, K.icacheInvalidated, walker.newLo, walker.newHi);
      walker.pc = PC.v61Make;
      return;
    case PC.v61Make:
      make(machine, walker);
      return;
    case PC.v61Get:
      machine.changeReference(walker, walker.table, 1);
      made(walker);
      return;
    case PC.v61PutChild:
      machine.putTable(walker, walker.child, walker.level + 1);
      walker.pc = PC.v61PutParent;
      return;
    case PC.v61PutParent:
      machine.changeReference(walker, walker.table, -1);
      visitDone(walker, RESULT.ok);
      return;
    default:
      stepOthers(machine, walker);
  }
}

function stepOthers(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.v61UnmapCount:
      countChild(machine, walker);
      return;
    case PC.v61UnmapClear:
      if (isValid(walker.oldLo)) clear(machine, walker, PC.v61UnmapPut);
      else {
        machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
        walker.pc = PC.v61UnmapPut;
      }
      return;
    case PC.v61UnmapPut:
      unmapPut(machine, walker);
      return;
    case PC.v61UnmapClean:
      maintain(machine, walker, K.dcacheCleaned, walker.oldLo, walker.oldHi);
      visitDone(walker, RESULT.ok);
      return;
    case PC.v61FreeParent:
      machine.changeReference(walker, walker.table, -1);
      if (machine.oldIsTable(walker)) walker.pc = PC.v61FreeChild;
      else visitDone(walker, RESULT.ok);
      return;
    case PC.v61FreeChild:
      machine.putTable(walker, machine.oldChild(walker), walker.level + 1);
      visitDone(walker, RESULT.ok);
      return;
    case PC.v61Executable:
      maintain(machine, walker, K.icacheInvalidated, walker.newLo, walker.newHi);
      walker.pc = PC.v61Set;
      return;
    case PC.v61Set:
      machine.storeDescriptor(walker, K.descriptorStored, walker.newLo, walker.newHi);
      visitDone(walker, RESULT.ok);
      return;
    default:
      assert(false, `actor ${walker.actor}: no step of the 6.1 visitors at pc ${walker.pc}`);
  }
}

/** A level hint of 0 stood for "unknown". */
function hint(level: number): number {
  return level === 0 ? -1 : level;
}

/** The table makes room for a block: it is cleared, and since leaves below it are no longer found one by one, everything is flushed. */
function unlink(machine: Machine, walker: Walker): void {
  const child = machine.oldChild(walker);
  machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
  unlinked(machine, walker, child, walker.annotation !== 0 ? UNLINK_CAUSE.annotate : UNLINK_CAUSE.collapse);
  walker.anchor = walker.level + 1;
  flush(machine, walker, FLUSH.vmid, 0, 0, -1, PC.walkKept);
}

function unlinked(machine: Machine, walker: Walker, child: number, cause: number): void {
  machine.commit(walker, K.tableUnlinked, walker.level, walker.slot, child, 0, 0, 0, 0, walker.visitAddr, walker.table, cause);
}

function allocate(machine: Machine, walker: Walker): void {
  if (walker.cachePages === 0) {
    machine.note(walker, K.cacheExhausted, 0, 0, 0);
    visitDone(walker, RESULT.enomem);
    return;
  }
  walker.cachePages -= 1;
  const child = machine.allocateTable(walker, walker.level + 1, 0);
  walker.newLo = machine.world.pages.linkLo(child);
  walker.newHi = machine.world.pages.linkHi(child);
  walker.pc = isEmpty(walker) ? PC.v61Make : clears(walker);
}

/** An invalid descriptor that is not empty is written over; only its reference goes. */
function clears(walker: Walker): number {
  return isValid(walker.oldLo) ? PC.v61Clear : PC.v61ClearPut;
}

/** @source stage2_put_pte() */
function clear(machine: Machine, walker: Walker, back: number): void {
  machine.storeDescriptor(walker, K.descriptorStored, 0, 0);
  if (machine.oldIsTable(walker)) unlinked(machine, walker, machine.oldChild(walker), UNLINK_CAUSE.empty);
  // Below a table walk-cache entries of any level may have been used: no hint.
  const level = machine.oldIsTable(walker) ? -1 : hint(walker.level);
  flush(machine, walker, FLUSH.ipa, walker.visitAddr, 0, level, back);
}

function maintain(machine: Machine, walker: Walker, kind: number, lo: number, hi: number): void {
  const bytes = spanBytes(machine.world.shape, walker.level);
  const pa = outputAddress(machine.world.shape, lo, hi);
  machine.commit(walker, kind, 0, 0, 0, bytes, bytes / 0x1_0000_0000, pa, pa / 0x1_0000_0000, walker.visitAddr, 0, 0);
}

function make(machine: Machine, walker: Walker): void {
  machine.storeDescriptor(walker, K.descriptorReleased, walker.newLo, walker.newHi);
  if (isTable(walker.newLo, walker.level)) {
    const child = machine.world.pages.frameOf(walker.newLo, walker.newHi);
    const cause = isValid(walker.oldLo) ? LINK_CAUSE.split : LINK_CAUSE.grow;
    machine.commit(walker, K.tableLinked, walker.level, walker.slot, child, 0, 0, 0, 0, walker.visitAddr, walker.table, cause);
  }
  if (walker.newLo === 0 && walker.newHi === 0) made(walker);
  else walker.pc = PC.v61Get;
}

/** A block that took the place of a table frees it now. */
function made(walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePost) walker.pc = PC.v61PutChild;
  else visitDone(walker, RESULT.ok);
}

function visitUnmap(walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePost) walker.pc = PC.v61UnmapCount;
  else if (isEmpty(walker)) visitDone(walker, RESULT.ok);
  else walker.pc = PC.v61UnmapClear;
}

function countChild(machine: Machine, walker: Walker): void {
  const child = machine.oldChild(walker);
  const count = machine.world.pages.references[child]!;
  machine.commit(walker, K.referenceRead, 0, 0, child, 0, 0, 0, 0, 0, count, 0);
  if (count === 1) walker.pc = PC.v61UnmapClear;
  else visitDone(walker, RESULT.ok);
}

function unmapPut(machine: Machine, walker: Walker): void {
  machine.changeReference(walker, walker.table, -1);
  if (machine.oldIsTable(walker)) walker.pc = PC.v61FreeChild;
  else if (isValid(walker.oldLo) && !machine.config.fwb && isNormalMemory(walker.oldLo, machine.stage2(walker).features))
    walker.pc = PC.v61UnmapClean;
  else visitDone(walker, RESULT.ok);
}

/** Attributes are changed by a plain store; a descriptor that is not valid is passed over, and nobody is told. */
function visitAttributes(walker: Walker): void {
  if (!isValid(walker.oldLo)) {
    visitDone(walker, RESULT.ok);
    return;
  }
  walker.flushLevel = hint(walker.level);
  walker.newLo = (walker.oldLo & ~walker.clearLo) | walker.attrLo;
  walker.newHi = (walker.oldHi & ~walker.clearHi) | walker.attrHi;
  if (walker.newLo === walker.oldLo && walker.newHi === walker.oldHi) visitDone(walker, RESULT.ok);
  else walker.pc = mayExecute(walker.newHi) && !mayExecute(walker.oldHi) ? PC.v61Executable : PC.v61Set;
}

function visitAge(walker: Walker): void {
  if (!isValid(walker.oldLo) || (walker.oldLo & LO_ACCESSED) === 0) {
    visitDone(walker, RESULT.ok);
    return;
  }
  walker.young |= 1;
  walker.newLo = walker.oldLo & ~LO_ACCESSED;
  walker.newHi = walker.oldHi;
  if ((walker.young & 2) !== 0) walker.pc = PC.v61Set;
  else visitDone(walker, RESULT.ok);
}
