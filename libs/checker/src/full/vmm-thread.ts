import { COMMAND, GROUP, PC } from '@s2lab/engine';
import { OP } from '@s2lab/events';
import type { Subject } from './subject.ts';

/*
 * What the VMM thread may still do: told from the request that it carries out, how far that is, and the requests that are left.
 */

/** Requests of the VMM thread that take the lock to write. */
const LOCKS_TO_WRITE = new Set<number>([
  COMMAND.unmapRange,
  COMMAND.ageRange,
  COMMAND.dirtyLogOn,
  COMMAND.dirtyLogClear,
  COMMAND.destroyVm,
  COMMAND.memslotDelete,
  COMMAND.unmap,
  COMMAND.wrprotect,
  COMMAND.split,
  COMMAND.age,
]);

/** Requests of the VMM thread that free the root. */
const DESTROYS = new Set<number>([COMMAND.destroy, COMMAND.destroyVm]);
/** Requests that change the root, memslots or the count of their changes with their very first step, and not after it. */
const CHANGES_MAP_AT_ONCE = new Set<number>([COMMAND.unmapRange, COMMAND.dirtyLogOn, COMMAND.dirtyLogOff]);
/** Requests that leave all those as they are. */
const KEEPS_MAP = new Set<number>([COMMAND.ageRange]);

/**
 * Whether nobody changes root, memslots, or the count of their changes any more. Then nobody reads a dirty bit either, and the end of a fault, which sets one
 * while a memslot is logged, need not wait: a write that comes before it, while the fault is open, is one that the fault logs (I12).
 */
export function isMapSettled({ machine, script }: Subject): boolean {
  const vmm = machine.walkers[machine.vmmActor]!;
  if (vmm.isFinished) return true;
  if (!script.left(vmm.actor).every(({ kind }) => KEEPS_MAP.has(kind))) return false;
  return vmm.pc === PC.idle || KEEPS_MAP.has(vmm.command) || CHANGES_MAP_AT_ONCE.has(vmm.command);
}

/** Whether the stage-2 may still be destroyed. */
export function mayDestroy({ machine, script }: Subject): boolean {
  const vmm = machine.walkers[machine.vmmActor]!;
  if (vmm.isFinished) return false;
  return DESTROYS.has(vmm.command) || script.left(vmm.actor).some(({ kind }) => DESTROYS.has(kind));
}

/** Whether the VMM thread holds the lock, or may still take it, for any request. */
export function mayHostWrite({ machine, script }: Subject): boolean {
  const vmm = machine.walkers[machine.vmmActor]!;
  if (vmm.isFinished) return false;
  if (script.left(vmm.actor).some(({ kind }) => LOCKS_TO_WRITE.has(kind))) return true;
  const { pc, command, lockMode, flushReturn } = vmm;
  if (pc === PC.idle || !LOCKS_TO_WRITE.has(command)) return false;
  if (lockMode !== 0) return true;
  // A destruction lets go of it before it walks; others once their last chunk is done.
  if (DESTROYS.has(command) || pc === PC.hostEnd) return false;
  return pc >> 5 !== GROUP.flush || flushReturn !== PC.hostEnd;
}

/** Groups of steps in which the VMM thread write-protects what is mapped. */
const PROTECTS = new Set<number>([GROUP.walk, GROUP.attributes, GROUP.v61]);

/**
 * The fewest choices with which logging is switched on from here: steps of the VMM thread that others may come before or after, whatever it finds in the tables, and one of
 * each actor that holds the lock which it has yet to take. 0 = it neither switches logging on nor is about to, or another memslot is logged already.
 * @source host-steps.ts, host-split-steps.ts: the lock, write-protection, a flush; the lock again, which is let go of once to fetch table pages
 */
export function choicesToLog({ machine, script }: Subject): number {
  const { config, world } = machine;
  const { pc, command, op, lockReturn, flushReturn, memcache, vmid, lock, isFinished, actor, memslot } = machine.walkers[machine.vmmActor]!;
  if (config.initiallyAllSet || isFinished) return 0;
  if ((pc === PC.idle ? script.upcoming(actor)?.kind : command) !== COMMAND.dirtyLogOn) return 0;
  if (world.stage2(vmid).memslots.some(({ id, logsWrites }) => logsWrites && (pc === PC.idle || id !== memslot))) return 0;
  const released = 1;
  const splitNext = (memcache === 0 ? 3 : 1) + released;
  const splitBegin = 1 + (config.eagerSplitBytes > 0 ? splitNext : released);
  const flushLast = 1 + splitBegin;
  const flushed = config.tlbRange ? 1 + flushLast : flushLast;
  const protects = 1 + flushed;
  const { readers, writer } = world.lockOf(vmid, lock);
  const holders = readers + (writer >= 0 && writer !== actor ? 1 : 0);
  switch (pc) {
    case PC.idle:
      return 2 + holders + protects;
    case PC.lockAcquire:
      if (lockReturn === PC.hostLocked || lockReturn === PC.hostChunk) return 1 + holders + protects;
      return holders + (lockReturn === PC.splitLocked ? splitBegin : 1 + released);
    case PC.lockRelease:
      if (lockReturn === PC.hostUnlocked) return protects;
      return lockReturn === PC.splitYield ? 2 + released : released;
    case PC.flushSync:
    case PC.flushLast:
      if (flushReturn !== PC.splitBegin) return released;
      return holders + (pc === PC.flushSync ? flushed : flushLast);
    case PC.splitNext:
      return splitNext;
    default:
      return op === OP.wrprotect && PROTECTS.has(pc >> 5) ? protects : released;
  }
}
