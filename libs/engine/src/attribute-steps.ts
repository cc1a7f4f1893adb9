import {
  HI_XN,
  isNormalMemory,
  isValid,
  LO_ACCESSED,
  LO_READ,
  LO_WRITE,
  mayExecute,
  outputAddress,
  PROT,
  spanBytes,
  xnField,
} from '@s2lab/arch';
import { DSB, K, OP, RESULT } from '@s2lab/events';
import { assert } from './assert.ts';
import { FLUSH, flush } from './flush-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import { cleanOld } from './unmap-steps.ts';
import type { Walker } from './walker.ts';
import { isShared, leaveOperation, visitDone } from './control.ts';

/*
 * Visitors that change attributes of leaves in place: Linux hyp/pgtable.c stage2_attr_walker() (write-protect, permission relaxation,
 * make young), stage2_age_walker(), stage2_flush_walker(); and the plain look-up of a leaf.
 */

/** Bits a write-protect, relax or make-young walk sets and clears. */
export function chooseAttributes(walker: Walker): void {
  walker.attrLo = 0;
  walker.attrHi = 0;
  walker.clearLo = 0;
  walker.clearHi = 0;
  // The kernel's walk data starts at level 0: a relaxation that ignores the missing leaf flushes with that hint.
  walker.flushLevel = 0;
  switch (walker.op) {
    case OP.wrprotect:
      walker.clearLo = LO_WRITE;
      return;
    case OP.mkyoung:
      walker.attrLo = LO_ACCESSED;
      return;
    case OP.relax:
      if ((walker.prot & PROT.r) !== 0) walker.attrLo |= LO_READ;
      if ((walker.prot & PROT.w) !== 0) walker.attrLo |= LO_WRITE;
      if ((walker.prot & PROT.x) !== 0) {
        walker.attrHi = xnField(walker.prot);
        walker.clearHi = ~walker.attrHi & HI_XN;
      }
      return;
    default:
      return;
  }
}

/** Entry of the visitors. */
export function visitAttributes(machine: Machine, walker: Walker): void {
  const valid = isValid(walker.oldLo);
  switch (walker.op) {
    case OP.leaf:
      walker.newLo = walker.oldLo;
      walker.newHi = walker.oldHi;
      walker.faultLevel = walker.level;
      visitDone(walker, RESULT.ok);
      return;
    case OP.check:
      visitDone(walker, walker.oldLo === 0 && walker.oldHi === 0 ? RESULT.ok : RESULT.eperm);
      return;
    case OP.flush:
      if (valid && isNormalMemory(walker.oldLo, machine.stage2(walker).features)) walker.pc = PC.flushClean;
      else visitDone(walker, RESULT.ok);
      return;
    case OP.age:
      visitAge(walker, valid);
      return;
    default:
      visitUpdate(walker, valid);
  }
}

function visitAge(walker: Walker, valid: boolean): void {
  if (!valid || (walker.oldLo & LO_ACCESSED) === 0) {
    visitDone(walker, RESULT.ok);
    return;
  }
  walker.young |= 1;
  walker.newLo = walker.oldLo & ~LO_ACCESSED;
  walker.newHi = walker.oldHi;
  if ((walker.young & 2) !== 0) walker.pc = PC.ageSet;
  else visitDone(walker, RESULT.ok);
}

function visitUpdate(walker: Walker, valid: boolean): void {
  if (!valid) {
    visitDone(walker, RESULT.eagain);
    return;
  }
  // The level hint of a relaxation's flush is that of the descriptor it changed.
  walker.flushLevel = walker.level;
  walker.newLo = (walker.oldLo & ~walker.clearLo) | walker.attrLo;
  walker.newHi = (walker.oldHi & ~walker.clearHi) | walker.attrHi;
  if (walker.newLo === walker.oldLo && walker.newHi === walker.oldHi) visitDone(walker, RESULT.ok);
  else if (mayExecute(walker.newHi) && !mayExecute(walker.oldHi)) walker.pc = PC.attributesInvalidate;
  else walker.pc = PC.attributesSet;
}

/** One step of an attribute change. */
export function stepAttributes(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.attributesInvalidate: {
      const bytes = spanBytes(machine.world.shape, walker.level);
      const address = outputAddress(machine.world.shape, walker.newLo, walker.newHi);
      machine.commit(
        walker,
        K.icacheInvalidated,
        0,
        0,
        0,
        bytes,
        bytes / 0x1_0000_0000,
        address,
        address / 0x1_0000_0000,
        walker.visitAddr,
        0,
        0,
      );
      walker.pc = PC.attributesSet;
      return;
    }
    case PC.attributesSet:
    case PC.ageSet:
      visitDone(walker, machine.trySet(walker, isShared(walker), walker.newLo, walker.newHi) ? RESULT.ok : RESULT.eagain);
      return;
    case PC.flushClean:
      cleanOld(machine, walker);
      visitDone(walker, RESULT.ok);
      return;
    case PC.attributesBarrier:
      machine.note(walker, K.dsbCompleted, 0, DSB.ishst, 0);
      leaveOperation(walker);
      return;
    case PC.relaxFlush:
      relaxFlush(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no attribute step at pc ${walker.pc}`);
  }
}

/** A relaxation ends with a local invalidation, won or lost. @source kvm_pgtable_stage2_relax_perms() */
function relaxFlush(machine: Machine, walker: Walker): void {
  if (walker.result !== RESULT.ok && walker.result !== RESULT.eagain) {
    leaveOperation(walker);
    return;
  }
  // In 6.1 the invalidation was broadcast, and a level hint of 0 (no leaf there) stood for "unknown".
  const old = machine.policyOf(walker).visitors === 'v6.1';
  const known = walker.result === RESULT.ok && !(old && walker.flushLevel === 0);
  const level = known ? walker.flushLevel : -1;
  flush(machine, walker, old ? FLUSH.ipa : FLUSH.ipaLocal, walker.start, 0, level, walker.opReturn);
}
