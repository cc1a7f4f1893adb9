import { alignDown, isTable, LAST_LEVEL, rootPageOf, slotOf, spanBytes } from '@s2lab/arch';
import { INJECTED, K, OP, PROT_SHIFT, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { visitAttributes } from './attribute-steps.ts';
import { visitCollapse } from './collapse-steps.ts';
import { beginTeardown, visitFree } from './free-steps.ts';
import type { Machine } from './machine.ts';
import { visitMap } from './map-steps.ts';
import { PC } from './pc.ts';
import { HOOK } from './policy.ts';
import { visitSplit } from './split-steps.ts';
import { visitV61, walksAsV61 } from './v61-steps.ts';
import { visitUnmap } from './unmap-steps.ts';
import type { Walker } from './walker.ts';
import { isShared, leaveOperation } from './control.ts';

/*
 * The one walker: Linux hyp/pgtable.c kvm_pgtable_walk(), _kvm_pgtable_walk(), __kvm_pgtable_walk() and __kvm_pgtable_visit(), its
 * recursion flattened. A visitor (map, unmap, …) is called where the kernel calls back; it answers through visitDone().
 */

/** One step of the walk proper. */
export function stepWalk(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.walkBegin:
      begin(machine, walker);
      return;
    case PC.walkEnter:
      if (hookDone(machine, walker, machine.policyOf(walker).enter(machine, walker))) start(machine, walker);
      return;
    case PC.walkRead:
      machine.readDescriptor(walker);
      walker.visitAddr = walker.addr;
      visit(machine, walker);
      return;
    case PC.walkDescend: {
      const outcome = machine.policyOf(walker).descend(machine, walker, walker.table);
      if (outcome === HOOK.restart) restart(machine, walker);
      else if (outcome === HOOK.reclaim) reclaim(machine, walker, PC.walkRefused);
      else if (hookDone(machine, walker, outcome)) walker.pc = PC.walkRead;
      return;
    }
    case PC.walkFollow:
      descend(machine, walker);
      return;
    case PC.walkReread:
      reread(machine, walker);
      return;
    // Before 6.4 nothing was read again between the visit of a table and the way down.
    case PC.walkKept:
      descend(machine, walker);
      return;
    case PC.walkVisited:
      if (goesOn(walker)) nextSlot(machine, walker);
      else finish(machine, walker, walker.visitResult);
      return;
    case PC.walkAscend:
    case PC.walkUnwind:
    case PC.walkRestart:
      leaveTable(machine, walker);
      return;
    case PC.walkAscended:
    case PC.walkUnwound:
    case PC.walkRestarted:
    case PC.walkRefused:
      reclaimed(machine, walker);
      return;
    case PC.walkExit:
      if (hookDone(machine, walker, machine.policyOf(walker).exit(machine, walker))) walker.pc = PC.walkEnd;
      return;
    case PC.walkEnd:
      endWalk(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no walk step at pc ${walker.pc}`);
  }
}

/** Whether a hook is done; one that waits blocks its actor, which calls it again when somebody wakes it. */
function hookDone(machine: Machine, walker: Walker, outcome: number): boolean {
  if (outcome === HOOK.wait) machine.block(walker);
  return outcome === HOOK.done;
}

/** One step of letting go of the present table, on the way back, at the end of the walk, or because it starts anew. */
function leaveTable(machine: Machine, walker: Walker): void {
  const outcome = machine.policyOf(walker).ascend(machine, walker, walker.table);
  if (outcome === HOOK.reclaim) {
    reclaim(
      machine,
      walker,
      walker.pc === PC.walkAscend ? PC.walkAscended : walker.pc === PC.walkUnwind ? PC.walkUnwound : PC.walkRestarted,
    );
  } else if (hookDone(machine, walker, outcome)) {
    left(machine, walker, walker.pc);
  }
}

/** The present table is behind the walker. */
function left(machine: Machine, walker: Walker, pc: number): void {
  if (pc === PC.walkAscend) {
    ascend(machine, walker);
    return;
  }
  walker.popLevel();
  if (pc === PC.walkUnwind) unwindFrom(machine, walker);
  else restartFrom(machine, walker);
}

/** The walker was the last one to hold the present table: it tears down what hangs there, before it goes on. */
function reclaim(machine: Machine, walker: Walker, back: number): void {
  const level = machine.world.pages.level[walker.table]!;
  machine.commit(walker, K.reclaimBegan, level - 1, 0, walker.table, 0, 0, 0, 0, walker.addr, 0, 0);
  beginTeardown(machine, walker, walker.table, level, back);
}

function reclaimed(machine: Machine, walker: Walker): void {
  machine.commit(walker, K.reclaimEnded, 0, 0, walker.table, 0, 0, 0, 0, 0, 0, 0);
  if (walker.pc === PC.walkAscended) left(machine, walker, PC.walkAscend);
  else if (walker.pc === PC.walkUnwound) left(machine, walker, PC.walkUnwind);
  else if (walker.pc === PC.walkRestarted) left(machine, walker, PC.walkRestart);
  else restart(machine, walker);
}

function begin(machine: Machine, walker: Walker): void {
  machine.walks += 1;
  walker.walkId = machine.walks;
  const flags = walker.flags | (walker.prot << PROT_SHIFT);
  const bytes = walker.end - walker.start;
  machine.commit(
    walker,
    K.walkBegan,
    0,
    0,
    0,
    bytes,
    bytes / 0x1_0000_0000,
    walker.phys,
    walker.phys / 0x1_0000_0000,
    walker.start,
    walker.op,
    flags,
  );
  if (isShared(walker) && machine.policyOf(walker).guardsWalks) walker.pc = PC.walkEnter;
  else start(machine, walker);
}

function start(machine: Machine, walker: Walker): void {
  const { shape, root: live } = machine.stage2(walker);
  // A destroyed stage-2 is unlinked before it is torn down: only its destroyer still knows the root.
  const root = walker.op === OP.destroy ? walker.destroyRoot : live;
  if (walker.topLevel >= 0) {
    walker.level = walker.topLevel;
    walker.slot = 0;
    walker.pc = PC.walkRead;
    return;
  }
  walker.topLevel = shape.startLevel;
  walker.level = shape.startLevel;
  if (walker.addr > shape.ipaBytes || walker.end > shape.ipaBytes) {
    finish(machine, walker, RESULT.erange);
    return;
  }
  if (walker.addr >= walker.end || root < 0) {
    finish(machine, walker, RESULT.ok);
    return;
  }
  const page = rootPageOf(shape, walker.addr);
  walker.rootsLeft = shape.rootPages - page - 1;
  walker.table = root + page;
  walker.slot = slotOf(shape, walker.addr, walker.level);
  walker.pc = PC.walkRead;
}

/** The policy could not follow the link it was given: the walk starts anew from the root, once it has left the tables above. */
function restart(machine: Machine, walker: Walker): void {
  walker.retries += 1;
  walker.popLevel();
  restartFrom(machine, walker);
}

function restartFrom(machine: Machine, walker: Walker): void {
  if (walker.level > walker.topLevel) {
    walker.pc = PC.walkRestart;
    return;
  }
  walker.topLevel = -1;
  start(machine, walker);
}

/** Decides by the descriptor just read which visitor runs, if any. */
function visit(machine: Machine, walker: Walker): void {
  if (isTable(walker.oldLo, walker.level)) {
    if ((walker.flags & WALK_FLAG.tablePre) !== 0) callVisitor(machine, walker, WALK_FLAG.tablePre);
    else descend(machine, walker);
  } else if ((walker.flags & WALK_FLAG.leaf) !== 0) {
    callVisitor(machine, walker, WALK_FLAG.leaf);
  } else {
    advance(machine, walker);
  }
}

function callVisitor(machine: Machine, walker: Walker, kind: number): void {
  walker.visit = kind;
  machine.spend(machine.config.costs.visitNs);
  if (walksAsV61(machine, walker) && visitV61(machine, walker)) return;
  switch (walker.op) {
    case OP.map:
    case OP.annotate:
    case OP.createUnlinked:
      visitMap(machine, walker);
      return;
    case OP.unmap:
      visitUnmap(walker);
      return;
    case OP.freeUnlinked:
    case OP.destroy:
      visitFree(machine, walker);
      return;
    case OP.split:
      visitSplit(machine, walker);
      return;
    case OP.zap:
    case OP.recover:
      visitCollapse(machine, walker);
      return;
    default:
      visitAttributes(machine, walker);
  }
}

/** @source kvm_pgtable_walk_continue() */
function goesOn(walker: Walker): boolean {
  const result = walker.visitResult;
  return result === RESULT.ok || (result === RESULT.eagain && (walker.flags & WALK_FLAG.ignoreEagain) !== 0);
}

/** After a leaf or pre visit the descriptor is read again: whoever is there now decides where the walk goes. */
function reread(machine: Machine, walker: Walker): void {
  machine.readDescriptor(walker);
  if (!goesOn(walker)) finish(machine, walker, walker.visitResult);
  else if (isTable(walker.oldLo, walker.level)) descend(machine, walker);
  else advance(machine, walker);
}

function descend(machine: Machine, walker: Walker): void {
  assert(walker.level < LAST_LEVEL, 'no table hangs below the last level');
  const child = machine.oldChild(walker);
  walker.pushLevel();
  walker.level += 1;
  walker.table = child;
  walker.slot = slotOf(machine.world.shape, walker.addr, walker.level);
  if (walker.preemptNs > 0 && walker.level >= walker.preemptLevel) preempt(machine, walker);
  walker.pc = isShared(walker) && machine.policyOf(walker).tracksTables ? PC.walkDescend : PC.walkRead;
}

/**
 * Fault injection: the vCPU loses its core between reading the link to a table and reading in it; whatever it holds stays held. Before a
 * last-level table this is the worst place: a collapse may unlink it, and only the policy stands between the walker and a freed table.
 */
function preempt(machine: Machine, walker: Walker): void {
  machine.note(walker, K.faultInjected, 0, INJECTED.vcpuPreempted, walker.preemptNs);
  machine.spend(walker.preemptNs);
  walker.preemptNs = 0;
}

/** Steps over the descriptor just visited. */
function advance(machine: Machine, walker: Walker): void {
  const span = spanBytes(machine.world.shape, walker.level);
  walker.addr = alignDown(walker.addr, span) + span;
  nextSlot(machine, walker);
}

function nextSlot(machine: Machine, walker: Walker): void {
  walker.slot += 1;
  if (walker.addr < walker.end && walker.slot < machine.world.shape.entries) {
    walker.pc = PC.walkRead;
  } else if (walker.level > walker.topLevel) {
    if (isShared(walker) && machine.policyOf(walker).tracksTables) walker.pc = PC.walkAscend;
    else ascend(machine, walker);
  } else if (walker.addr < walker.end && walker.rootsLeft > 0) {
    walker.rootsLeft -= 1;
    walker.table += 1;
    walker.slot = 0;
    walker.pc = PC.walkRead;
  } else {
    finish(machine, walker, RESULT.ok);
  }
}

function ascend(machine: Machine, walker: Walker): void {
  walker.popLevel();
  if ((walker.flags & WALK_FLAG.tablePost) !== 0) callVisitor(machine, walker, WALK_FLAG.tablePost);
  else nextSlot(machine, walker);
}

function finish(machine: Machine, walker: Walker, result: number): void {
  walker.result = result;
  unwindFrom(machine, walker);
}

/** A policy that tracks tables leaves them one by one, however the walk ends. */
function unwindFrom(machine: Machine, walker: Walker): void {
  if (isShared(walker) && machine.policyOf(walker).tracksTables && walker.level > walker.topLevel) walker.pc = PC.walkUnwind;
  else if (isShared(walker) && machine.policyOf(walker).guardsWalks) walker.pc = PC.walkExit;
  else walker.pc = PC.walkEnd;
}

function endWalk(machine: Machine, walker: Walker): void {
  machine.note(walker, K.walkEnded, 0, walker.result, walker.retries);
  switch (walker.op) {
    case OP.map:
      walker.pc = PC.mapBarrier;
      return;
    case OP.recover:
      walker.pc = (walker.flags & WALK_FLAG.leaf) !== 0 ? PC.mapBarrier : walker.opReturn;
      return;
    case OP.createUnlinked:
      walker.pc = PC.splitBuilt;
      return;
    case OP.freeUnlinked:
      walker.pc = PC.freeRootCount;
      return;
    case OP.split:
      walker.pc = PC.splitBarrier;
      return;
    case OP.mkyoung:
      walker.pc = walker.result === RESULT.ok || walksAsV61(machine, walker) ? PC.attributesBarrier : walker.opReturn;
      return;
    case OP.relax:
      walker.pc = PC.relaxFlush;
      return;
    case OP.unmap:
      walker.pc = PC.unmapFlushed;
      return;
    default:
      leaveOperation(walker);
  }
}
