import { alignDown, alignUp, leafAttributesLo, PROT } from '@s2lab/arch';
import { K, LOCK_MODE, OP, OPERATION, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { chooseAttributes } from './attribute-steps.ts';
import { finishCommand } from './control.ts';
import { acquire, release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import { walksAsV61 } from './v61-steps.ts';
import type { Walker } from './walker.ts';
import { beginMap, beginWalk } from './control.ts';
import type { Command } from './workload.ts';
import { COMMAND } from './workload.ts';

/*
 * Straight walks: an actor calls the page-table library itself, as the recorded operation scripts do, under the lock that KVM would hold:
 * its fault lock for shared walks, the write side for the others.
 */

const OPERATION_OF: Readonly<Record<number, number>> = {
  [COMMAND.map]: OPERATION.map,
  [COMMAND.unmap]: OPERATION.unmap,
  [COMMAND.wrprotect]: OPERATION.wrprotect,
  [COMMAND.relax]: OPERATION.relax,
  [COMMAND.mkyoung]: OPERATION.mkyoung,
  [COMMAND.age]: OPERATION.ageRange,
  [COMMAND.split]: OPERATION.split,
  [COMMAND.annotate]: OPERATION.annotate,
  [COMMAND.flush]: OPERATION.flush,
  [COMMAND.leaf]: OPERATION.flush,
};

/** Owners that 6.1 could write into an invalid descriptor, and where. @source Linux 6.1 KVM_MAX_OWNER_ID, KVM_INVALID_PTE_OWNER_MASK */
const V61_OWNER_MAX = 1;
const V61_OWNER_SHIFT = 2;

/** Begins a straight walk: the command's arguments become registers, then the lock is taken. */
export function beginStraightWalk(machine: Machine, walker: Walker, command: Command): void {
  walker.result = RESULT.ok;
  walker.pa = command.pa;
  walker.prot = command.prot;
  walker.hostPhase = command.flags;
  walker.cachePages = command.cachePages;
  walker.young = command.makeOld !== 0 ? 2 : 0;
  walker.maskLo = command.annotationType;
  walker.maskHi = command.annotation;
  machine.commit(
    walker,
    K.operationBegan,
    0,
    0,
    0,
    command.bytes,
    command.bytes / 0x1_0000_0000,
    0,
    0,
    command.ipa,
    OPERATION_OF[command.kind]!,
    0,
  );
  const shared = (command.flags & WALK_FLAG.shared) !== 0;
  acquire(walker, shared ? machine.policyOf(walker).faultLock : LOCK_MODE.write, PC.straightLocked);
}

/** One step of a straight walk around the walk itself. */
export function stepStraight(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.straightLocked:
      walk(machine, walker);
      return;
    case PC.straightWalked:
      walked(walker);
      return;
    case PC.straightRelock:
      acquire(walker, LOCK_MODE.write, PC.straightLocked);
      return;
    case PC.straightUnlocked: {
      const result = outcome(machine, walker);
      machine.commit(walker, K.operationEnded, 0, 0, 0, 0, 0, 0, 0, walker.ipa, OPERATION_OF[walker.command]!, result);
      finishCommand(walker, result);
      return;
    }
    default:
      assert(false, `actor ${walker.actor}: no straight step at pc ${walker.pc}`);
  }
}

/** What the library's function returns: age whether anything was young (6.1 only if it just looked), make young nothing. */
function outcome(machine: Machine, walker: Walker): number {
  if (walker.command === COMMAND.age && (walker.young & 2) !== 0 && walksAsV61(machine, walker)) return walker.result;
  if (walker.command === COMMAND.age && walker.result === RESULT.ok) return walker.young & 1;
  return walker.command === COMMAND.mkyoung ? RESULT.ok : walker.result;
}

function walk(machine: Machine, walker: Walker): void {
  const shared = walker.lockMode === LOCK_MODE.write ? 0 : walker.hostPhase & WALK_FLAG.shared;
  const flags = shared | (walker.hostPhase & WALK_FLAG.ignoreEagain);
  const invalid = invalidRequest(machine, walker);
  if (invalid !== RESULT.ok) {
    walker.result = invalid;
    release(walker, PC.straightUnlocked);
    return;
  }
  const { pageBytes } = machine.world.shape;
  const first = alignDown(walker.ipa, pageBytes);
  const last = alignUp(walker.ipa + walker.bytes, pageBytes);
  const begin = (op: number, walkFlags: number) => beginWalk(walker, op, walkFlags, first, last - first, PC.straightWalked);
  walker.phys = 0;
  switch (walker.command) {
    case COMMAND.map:
      walker.phys = walker.pa;
      beginMap(machine, walker, flags, first, last - first, PC.straightWalked);
      return;
    case COMMAND.annotate:
      annotate(machine, walker, flags, first, last - first);
      return;
    case COMMAND.unmap:
      begin(OP.unmap, WALK_FLAG.leaf | WALK_FLAG.tablePost);
      return;
    case COMMAND.wrprotect:
      begin(OP.wrprotect, WALK_FLAG.leaf | WALK_FLAG.ignoreEagain);
      break;
    case COMMAND.relax:
      beginWalk(walker, OP.relax, WALK_FLAG.leaf | flags, first, pageBytes, PC.straightWalked);
      break;
    case COMMAND.mkyoung:
      beginWalk(walker, OP.mkyoung, WALK_FLAG.leaf | flags, first, pageBytes, PC.straightWalked);
      break;
    case COMMAND.age:
      // 6.1 aged one descriptor a call.
      if (walksAsV61(machine, walker)) beginWalk(walker, OP.age, WALK_FLAG.leaf, first, pageBytes, PC.straightWalked);
      else begin(OP.age, WALK_FLAG.leaf);
      return;
    case COMMAND.split:
      begin(OP.split, WALK_FLAG.leaf);
      return;
    // With FWB the guest's attributes cannot bypass the cache: nothing to clean, no walk.
    case COMMAND.flush:
      if (machine.config.fwb) release(walker, PC.straightUnlocked);
      else begin(OP.flush, WALK_FLAG.leaf);
      return;
    case COMMAND.leaf:
      beginWalk(walker, OP.leaf, WALK_FLAG.leaf, first, pageBytes, PC.straightWalked);
      return;
    default:
      assert(false, `command ${walker.command} is no straight walk`);
  }
  chooseAttributes(walker);
}

/** Requests that the library refuses before it walks. */
function invalidRequest(machine: Machine, walker: Walker): number {
  const software = PROT.sw0 | PROT.sw1 | PROT.sw2 | PROT.sw3;
  switch (walker.command) {
    case COMMAND.map:
      return leafAttributesLo(walker.prot, machine.world.shape, machine.stage2(walker).features) < 0 ? RESULT.einval : RESULT.ok;
    case COMMAND.relax: {
      const splitExecute = ((walker.prot & PROT.px) !== 0) !== ((walker.prot & PROT.ux) !== 0);
      return (walker.prot & software) !== 0 || (splitExecute && !machine.config.xnx) ? RESULT.einval : RESULT.ok;
    }
    // Type 0 would be an empty descriptor, type 1 is the locked one; bit 0 would make it valid.
    case COMMAND.annotate:
      if (walksAsV61(machine, walker)) return walker.maskHi > V61_OWNER_MAX ? RESULT.einval : RESULT.ok;
      return walker.maskLo < 2 || walker.maskHi % 2 !== 0 ? RESULT.einval : RESULT.ok;
    default:
      return RESULT.ok;
  }
}

/** Writes an invalid descriptor that carries `annotation` to every page of the range. @source kvm_pgtable_stage2_annotate() */
function annotate(machine: Machine, walker: Walker, flags: number, ipa: number, bytes: number): void {
  beginMap(machine, walker, flags, ipa, bytes, PC.straightWalked);
  walker.op = OP.annotate;
  walker.annotation = 1;
  walker.forcePages = 1;
  if (walksAsV61(machine, walker)) {
    walker.attrLo = walker.maskHi << V61_OWNER_SHIFT;
    walker.attrHi = 0;
    return;
  }
  walker.attrLo = walker.maskHi;
  walker.attrHi = ((walker.maskHi / 0x1_0000_0000) & 0x0fff_ffff) | (walker.maskLo << 28);
}

function walked(walker: Walker): void {
  walker.walkId = 0;
  const alone = walker.result === RESULT.ebusy && walker.lockMode !== LOCK_MODE.write;
  release(walker, alone ? PC.straightRelock : PC.straightUnlocked);
}
