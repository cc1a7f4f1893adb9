import { leafAttributesHi, leafAttributesLo, PROT, spanBytes } from '@s2lab/arch';
import { OP, RESULT, WALK_FLAG } from '@s2lab/events';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * Transitions that the steps of every group share: how a walk is set up, how a visitor answers, how an operation and a command end.
 * They only set registers; nothing is committed here.
 */

/** Sets up a walk of `op` over [addr, end) from the root; the walker goes on at `opReturn` when it is over. */
export function beginWalk(walker: Walker, op: number, flags: number, addr: number, bytes: number, opReturn: number): void {
  walker.op = op;
  walker.flags = flags;
  walker.addr = addr;
  walker.start = addr;
  walker.end = addr + bytes;
  walker.topLevel = -1;
  walker.result = RESULT.ok;
  walker.retries = 0;
  walker.opReturn = opReturn;
  walker.child = -1;
  walker.annotation = 0;
  walker.pc = PC.walkBegin;
}

/** Starts a map walk of the walker's `prot` and `phys`. */
export function beginMap(machine: Machine, walker: Walker, flags: number, ipa: number, bytes: number, back: number): void {
  const old = machine.policyOf(walker).visitors === 'v6.1';
  beginWalk(walker, OP.map, WALK_FLAG.leaf | WALK_FLAG.tablePre | (old ? WALK_FLAG.tablePost : 0) | flags, ipa, bytes, back);
  if (old) walker.anchor = 0;
  const { shape, features } = machine.stage2(walker);
  walker.attrLo = leafAttributesLo(walker.prot, shape, features);
  walker.attrHi = leafAttributesHi(walker.prot);
  const force = machine.config.forcePages;
  walker.forcePages = force === 'all' || (force === 'nonrwx' && walker.prot !== (PROT.r | PROT.w | PROT.x)) ? 1 : 0;
}

/** Sets up a walk inside another one, over the sub-tree under `table` whose descriptors are of `level`. */
export function beginNestedWalk(machine: Machine, walker: Walker, op: number, flags: number, table: number, level: number): void {
  walker.pushWalk();
  walker.op = op;
  walker.flags = flags;
  walker.addr = 0;
  walker.start = 0;
  walker.end = spanBytes(machine.world.shape, level - 1);
  walker.topLevel = level;
  walker.rootsLeft = 0;
  walker.table = table;
  walker.result = RESULT.ok;
  walker.retries = 0;
  walker.annotation = 0;
  walker.child = -1;
  walker.pc = PC.walkBegin;
}

/** The visitor's answer: leaf and pre visits are followed by a re-read, post visits by the next slot. */
export function visitDone(walker: Walker, result: number): void {
  walker.visitResult = result;
  walker.child = -1;
  walker.pc = walker.visit === WALK_FLAG.tablePost ? PC.walkVisited : PC.walkReread;
}

/** The operation of the walk is over, its barriers and flushes included. */
export function leaveOperation(walker: Walker): void {
  walker.pc = walker.opReturn;
}

/** Whether other walkers may change the tables under this walk. */
export function isShared(walker: Walker): boolean {
  return (walker.flags & WALK_FLAG.shared) !== 0;
}

/** The actor's command is over: it is asked for the next one at its next step. */
export function finishCommand(walker: Walker, result: number): void {
  walker.commandResult = result;
  walker.walkId = 0;
  walker.pc = PC.idle;
}
