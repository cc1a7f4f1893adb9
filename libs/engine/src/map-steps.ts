import {
  addressHi,
  addressLo,
  alignDown,
  HI_SOFTWARE,
  HI_XN,
  HI_LOCKED,
  isAligned,
  isLocked,
  isNormalMemory,
  isTable,
  isValid,
  LAST_LEVEL,
  LO_READ,
  LO_VALID,
  LO_WRITE,
  mayExecute,
  spanBytes,
} from '@s2lab/arch';
import { DSB, K, LINK_CAUSE, OP, RESULT, UNLINK_CAUSE, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { FLUSH, flush } from './flush-steps.ts';
import type { Machine } from './machine.ts';
import { beginTeardown } from './free-steps.ts';
import { PC } from './pc.ts';
import { isCounted, needsPrefill, prefill, visitGivenBack } from './host-coalescing.ts';
import { HOOK } from './policy.ts';
import type { Walker } from './walker.ts';
import { isShared, leaveOperation, visitDone } from './control.ts';

/*
 * The map visitor: Linux hyp/pgtable.c stage2_map_walker() with stage2_map_walker_try_leaf(), stage2_map_walk_table_pre(),
 * stage2_map_walk_leaf(), stage2_try_break_pte() and stage2_make_pte(). Annotations and the building of an unlinked sub-tree use it too.
 */

/** Entry of the visitor. */
export function visitMap(machine: Machine, walker: Walker): void {
  if (walker.visit === WALK_FLAG.tablePost) {
    visitGivenBack(machine, walker);
    return;
  }
  const allowed = leafAllowed(machine, walker);
  if (walker.visit === WALK_FLAG.tablePre) {
    if (!allowed) visitDone(walker, RESULT.ok);
    // This policy does not let others walk while a sub-tree is unlinked: the caller comes back alone.
    else if (isShared(walker) && !machine.policyOf(walker).capabilities.collapsesInParallel) visitDone(walker, RESULT.ebusy);
    else tryLeaf(machine, walker);
  } else if (allowed) {
    tryLeaf(machine, walker);
  } else if (walker.level === LAST_LEVEL) {
    visitDone(walker, RESULT.einval);
  } else if (walker.cachePages < 0) {
    visitDone(walker, RESULT.enomem);
  } else {
    walker.pc = PC.mapAllocate;
  }
}

function physical(walker: Walker): number {
  return walker.phys + (walker.addr - walker.start);
}

/** @source stage2_leaf_mapping_allowed(), kvm_block_mapping_supported() */
function leafAllowed(machine: Machine, walker: Walker): boolean {
  const { shape } = machine.world;
  if (walker.forcePages !== 0 && walker.level < LAST_LEVEL) return false;
  if (walker.level < shape.minBlockLevel) return false;
  const span = spanBytes(shape, walker.level);
  if (span > walker.end - walker.addr || !isAligned(walker.addr, span)) return false;
  return walker.annotation !== 0 || isAligned(physical(walker), span);
}

function tryLeaf(machine: Machine, walker: Walker): void {
  if (walker.annotation !== 0) {
    walker.newLo = walker.attrLo;
    walker.newHi = walker.attrHi;
  } else {
    const { shape } = machine.world;
    const type = walker.level === LAST_LEVEL ? 3 : LO_VALID;
    walker.newLo = walker.attrLo | addressLo(shape, physical(walker)) | type;
    walker.newHi = walker.attrHi | addressHi(shape, physical(walker));
  }
  const changedLo = walker.oldLo ^ walker.newLo;
  const changedHi = walker.oldHi ^ walker.newHi;
  const bothValid = isValid(walker.oldLo) && isValid(walker.newLo);
  if (bothValid && (changedLo & ~(LO_READ | LO_WRITE)) === 0 && (changedHi & ~HI_XN) === 0) {
    visitDone(walker, RESULT.eagain);
  } else if (!isShared(walker) && changedLo === 0 && (changedHi & ~HI_SOFTWARE) === 0) {
    const { oldLo, oldHi, newLo, newHi } = walker;
    const keepsCount = isCounted(machine, walker, oldLo, oldHi) === isCounted(machine, walker, newLo, newHi);
    walker.pc = keepsCount ? PC.mapSoftwareStore : PC.mapSoftwareCount;
  } else {
    walker.pc = PC.mapBreak;
  }
}

function isEmpty(lo: number, hi: number): boolean {
  return lo === 0 && hi === 0;
}

/** One step of break-before-make. */
export function stepMap(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.mapAllocate:
      allocate(machine, walker);
      return;
    case PC.mapPrefill:
      if (!prefill(machine, walker)) linkChild(machine, walker);
      return;
    case PC.mapBreak:
      breakDescriptor(machine, walker);
      return;
    case PC.mapBreakPut:
      if (isCounted(machine, walker, walker.oldLo, walker.oldHi)) machine.changeReference(walker, walker.table, -1);
      afterBreak(machine, walker);
      return;
    case PC.mapClean:
      clean(machine, walker, K.dcacheCleaned);
      walker.pc = executes(walker) ? PC.mapInvalidate : afterCaches(machine, walker);
      return;
    case PC.mapInvalidate:
      clean(machine, walker, K.icacheInvalidated);
      walker.pc = afterCaches(machine, walker);
      return;
    case PC.mapGet:
      machine.changeReference(walker, walker.table, 1);
      walker.pc = PC.mapMake;
      return;
    case PC.mapMake:
      make(machine, walker);
      return;
    case PC.mapRetire:
    case PC.mapRetireFirst:
      retire(machine, walker);
      return;
    case PC.mapReclaimed:
    case PC.mapReclaimedFirst:
      machine.commit(walker, K.reclaimEnded, 0, 0, machine.oldChild(walker), 0, 0, 0, 0, 0, 0, 0);
      retired(machine, walker, walker.pc === PC.mapReclaimedFirst);
      return;
    case PC.mapPutChild:
      putChild(machine, walker);
      return;
    case PC.mapSoftwareCount:
      machine.changeReference(walker, walker.table, isCounted(machine, walker, walker.newLo, walker.newHi) ? 1 : -1);
      walker.pc = PC.mapSoftwareStore;
      return;
    case PC.mapSoftwareStore:
      machine.trySet(walker, false, walker.newLo, walker.newHi);
      visitDone(walker, RESULT.ok);
      return;
    case PC.mapBarrier:
      machine.note(walker, K.dsbCompleted, 0, DSB.ishst, 0);
      leaveOperation(walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no map step at pc ${walker.pc}`);
  }
}

function allocate(machine: Machine, walker: Walker): void {
  const page = walker.cachePages === 0 ? -1 : (machine.hypervisor?.takeTablePage(walker.vmid) ?? 0);
  if (page < 0) {
    machine.note(walker, K.cacheExhausted, 0, 0, 0);
    visitDone(walker, RESULT.enomem);
    return;
  }
  walker.cachePages -= 1;
  walker.child = machine.allocateTable(walker, walker.level + 1, 0, page);
  if (needsPrefill(machine, walker)) walker.pc = PC.mapPrefill;
  else linkChild(machine, walker);
}

/** Makes a table descriptor for `child` the one to be made, and goes on to break what is there. */
export function linkChild(machine: Machine, walker: Walker): void {
  walker.newLo = machine.world.pages.linkLo(walker.child);
  walker.newHi = machine.world.pages.linkHi(walker.child);
  walker.pc = PC.mapBreak;
}

function breakDescriptor(machine: Machine, walker: Walker): void {
  const lost = isLocked(walker.oldLo, walker.oldHi) || !machine.trySet(walker, isShared(walker), 0, HI_LOCKED);
  if (lost) {
    if (walker.child >= 0) walker.pc = PC.mapPutChild;
    else visitDone(walker, RESULT.eagain);
    return;
  }
  const wasTable = machine.oldIsTable(walker);
  if (wasTable) {
    machine.commit(
      walker,
      K.tableUnlinked,
      walker.level,
      walker.slot,
      machine.oldChild(walker),
      0,
      0,
      0,
      0,
      walker.visitAddr,
      walker.table,
      unlinkCause(walker),
    );
  }
  if (isEmpty(walker.oldLo, walker.oldHi)) {
    afterBreak(machine, walker);
  } else if ((walker.flags & WALK_FLAG.skipBbmTlbi) !== 0 || !isValid(walker.oldLo)) {
    walker.pc = PC.mapBreakPut;
  } else if (wasTable) {
    const span = spanBytes(machine.world.shape, walker.level);
    flush(machine, walker, FLUSH.range, alignDown(walker.visitAddr, span), span, -1, PC.mapBreakPut);
  } else {
    flush(machine, walker, FLUSH.ipa, walker.visitAddr, 0, walker.level, PC.mapBreakPut);
  }
}

function unlinkCause(walker: Walker): number {
  if (walker.op === OP.zap) return UNLINK_CAUSE.zap;
  return walker.annotation !== 0 ? UNLINK_CAUSE.annotate : UNLINK_CAUSE.collapse;
}

/** Whether the visit replaces a table: what hung there goes to the policy. In a recovery the locked descriptor remembers it. */
function replacesTable(walker: Walker): boolean {
  if (walker.op === OP.recover) return isLocked(walker.oldLo, walker.oldHi);
  return walker.visit === WALK_FLAG.tablePre && isTable(walker.oldLo, walker.level);
}

/** Puts a block where the first walk of a recovery left a locked descriptor; the break is flushed. */
export function installBlock(machine: Machine, walker: Walker): void {
  const { shape } = machine.stage2(walker);
  walker.newLo = walker.attrLo | addressLo(shape, physical(walker)) | LO_VALID;
  walker.newHi = walker.attrHi | addressHi(shape, physical(walker));
  afterBreak(machine, walker);
}

/** The descriptor is locked and flushed. What was torn down first delays everybody who wants the new one. */
function afterBreak(machine: Machine, walker: Walker): void {
  if (machine.config.teardown === 'before' && replacesTable(walker)) walker.pc = PC.mapRetireFirst;
  else beforeMake(machine, walker);
}

function beforeMake(machine: Machine, walker: Walker): void {
  const skip =
    walker.child >= 0 || !machine.stage2(walker).cleansCaches || (walker.flags & WALK_FLAG.skipCmo) !== 0 || !isValid(walker.newLo);
  if (!skip && isNormalMemory(walker.newLo, machine.stage2(walker).features)) walker.pc = PC.mapClean;
  else if (!skip && executes(walker)) walker.pc = PC.mapInvalidate;
  else walker.pc = afterCaches(machine, walker);
}

function executes(walker: Walker): boolean {
  return mayExecute(walker.newHi);
}

function afterCaches(machine: Machine, walker: Walker): number {
  return isCounted(machine, walker, walker.newLo, walker.newHi) ? PC.mapGet : PC.mapMake;
}

function clean(machine: Machine, walker: Walker, kind: number): void {
  const bytes = spanBytes(machine.world.shape, walker.level);
  const address = physical(walker);
  machine.commit(walker, kind, 0, 0, 0, bytes, bytes / 0x1_0000_0000, address, address / 0x1_0000_0000, walker.visitAddr, 0, 0);
}

function make(machine: Machine, walker: Walker): void {
  machine.storeDescriptor(walker, K.descriptorReleased, walker.newLo, walker.newHi);
  if (walker.child >= 0) {
    const inside = walker.op === OP.createUnlinked;
    const cause = inside ? LINK_CAUSE.prebuilt : isValid(walker.oldLo) ? LINK_CAUSE.split : LINK_CAUSE.grow;
    machine.commit(walker, K.tableLinked, walker.level, walker.slot, walker.child, 0, 0, 0, 0, walker.visitAddr, walker.table, cause);
  }
  if (machine.config.teardown === 'after' && replacesTable(walker)) walker.pc = PC.mapRetire;
  else visitDone(walker, RESULT.ok);
}

/** The sub-tree is unlinked: hand it to the policy, or tear it down here and now. @source mm_ops->free_unlinked_table */
function retire(machine: Machine, walker: Walker): void {
  const child = machine.oldChild(walker);
  const first = walker.pc === PC.mapRetireFirst;
  const outcome = machine.policyOf(walker).unlinked(machine, walker, child);
  if (outcome === HOOK.again) return;
  if (outcome === HOOK.held || machine.policyOf(walker).defersFrees) {
    const held = outcome === HOOK.held ? 1 : 0;
    machine.commit(walker, K.tableRetired, walker.level, 0, child, 0, 0, 0, 0, walker.visitAddr, held, 0);
    if (held === 0) machine.wake(machine.reclaimActor);
    retired(machine, walker, first);
    return;
  }
  machine.commit(walker, K.reclaimBegan, walker.level, 0, child, 0, 0, 0, 0, walker.visitAddr, 0, 0);
  beginTeardown(machine, walker, child, walker.level + 1, first ? PC.mapReclaimedFirst : PC.mapReclaimed);
}

function retired(machine: Machine, walker: Walker, first: boolean): void {
  if (first) beforeMake(machine, walker);
  else visitDone(walker, RESULT.ok);
}

/** The break lost its race: the page allocated for it is given back unused. */
function putChild(machine: Machine, walker: Walker): void {
  machine.changeReference(walker, walker.child, -1);
  machine.releaseTable(walker, walker.child, walker.level + 1);
  visitDone(walker, RESULT.eagain);
}
