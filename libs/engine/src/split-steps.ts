import {
  HI_XN,
  isValid,
  LAST_LEVEL,
  leafAttributesHi,
  leafAttributesLo,
  softwareProt,
  LO_READ,
  LO_WRITE,
  outputAddress,
  PROT,
} from '@s2lab/arch';
import { DSB, K, OP, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import type { Machine } from './machine.ts';
import { linkChild } from './map-steps.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';
import { beginNestedWalk, leaveOperation, visitDone } from './control.ts';

/*
 * Eager splitting: Linux hyp/pgtable.c stage2_split_walker(), kvm_pgtable_stage2_create_unlinked(). Runs alone (write side).
 */

/** Entry of the visitor: a valid block is to be replaced by a table of what it mapped. */
export function visitSplit(machine: Machine, walker: Walker): void {
  if (walker.level === LAST_LEVEL || !isValid(walker.oldLo)) {
    visitDone(walker, RESULT.ok);
    return;
  }
  // A whole tree down to pages if the cache holds enough; else one table, whose smaller blocks this walk meets next.
  const whole = walker.level === LAST_LEVEL - 1 ? 1 : machine.world.shape.entries + 1;
  walker.forcePages = walker.cachePages >= whole ? 1 : 0;
  if (walker.cachePages < 1) visitDone(walker, RESULT.enomem);
  else walker.pc = PC.splitAllocate;
}

/** One step of a split. */
export function stepSplit(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.splitAllocate:
      allocate(machine, walker);
      return;
    case PC.splitBuilt:
      built(machine, walker);
      return;
    case PC.splitBarrier:
      machine.note(walker, K.dsbCompleted, 0, DSB.ishst, 0);
      leaveOperation(walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no split step at pc ${walker.pc}`);
  }
}

function allocate(machine: Machine, walker: Walker): void {
  walker.cachePages -= 1;
  const child = machine.allocateTable(walker, walker.level + 1, 0);
  walker.child = child;
  const phys = outputAddress(machine.world.shape, walker.oldLo, walker.oldHi);
  const prot = protOf(walker.oldLo, walker.oldHi);
  const force = walker.forcePages;
  const flags = WALK_FLAG.leaf | WALK_FLAG.skipBbmTlbi | WALK_FLAG.skipCmo;
  beginNestedWalk(machine, walker, OP.createUnlinked, flags, child, walker.level + 1);
  walker.phys = phys;
  walker.prot = prot;
  walker.forcePages = force;
  walker.attrLo = leafAttributesLo(prot, machine.world.shape, machine.stage2(walker).features);
  walker.attrHi = leafAttributesHi(prot);
}

/** PROT of a leaf descriptor. @source kvm_pgtable_stage2_pte_prot() */
function protOf(lo: number, hi: number): number {
  let prot = 0;
  if ((lo & LO_READ) !== 0) prot |= PROT.r;
  if ((lo & LO_WRITE) !== 0) prot |= PROT.w;
  const xn = (hi & HI_XN) >>> 21;
  if (xn === 0 || xn === 3) prot |= PROT.px;
  if (xn === 0 || xn === 1) prot |= PROT.ux;
  return prot | softwareProt(hi);
}

/** The sub-tree is built: put it in place of the block, by break and make. */
function built(machine: Machine, walker: Walker): void {
  assert(walker.result === RESULT.ok, `building an unlinked sub-tree ended with ${walker.result}`);
  walker.popWalk();
  linkChild(machine, walker);
}
