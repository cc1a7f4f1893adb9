import { isLocked, LAST_LEVEL } from '@s2lab/arch';
import type { Walker } from '@s2lab/engine';
import { COMMAND, GROUP, HELD, PC } from '@s2lab/engine';
import { LOCK_MODE, OP, OPERATION, RESULT, WALK_FLAG } from '@s2lab/events';
import { touchesWhatLasts } from './lasting-tables.ts';
import { isPrivate } from './private-tables.ts';
import type { Script } from './script.ts';
import type { Subject } from './subject.ts';
import { isMapSettled, mayDestroy, mayHostWrite } from './vmm-thread.ts';

/*
 * Steps that touch nothing that another actor reads or writes: they only move their own registers, or tell what they do. Taken at once they
 * stand for all schedules in which they come later. What is listed here without right would hide schedules; a test compares the
 * verdicts and the final states of searches with and without (full-search.sim.spec.ts).
 */

const ALWAYS = new Set<number>([
  PC.walkFollow,
  PC.walkKept,
  PC.walkVisited,
  PC.walkEnd,
  PC.mapClean,
  PC.mapInvalidate,
  PC.mapBarrier,
  PC.splitBuilt,
  PC.splitBarrier,
  PC.attributesInvalidate,
  PC.attributesBarrier,
  PC.flushClean,
  PC.relaxFlush,
  PC.unmapClean,
  PC.unmapFlushed,
  // A flush begins with nothing issued, so its first barrier completes nothing; what is issued takes effect at the next one.
  PC.flushFirst,
  PC.flushEnter,
  PC.flushRange,
  PC.flushCombined,
  PC.flushIsb,
  PC.faultTopUp,
  PC.faultRelock,
  PC.faultHandled,
  PC.straightLocked,
  PC.straightWalked,
  PC.straightRelock,
  PC.straightUnlocked,
  PC.hostUnlock,
  PC.hostRelock,
  PC.hostUnlocked,
  PC.hostEnd,
  PC.splitBegin,
  PC.splitLocked,
  PC.splitOver,
  PC.splitChunk,
  PC.splitChunkDone,
  PC.splitYield,
  PC.splitTopUp,
  PC.reclaimIdle,
  PC.reclaimBegin,
  PC.reclaimEnd,
  PC.mapReclaimed,
  // Counts of a page go up and down in any order; they are looked at only by who is alone with it.
  PC.mapGet,
  PC.mapBreakPut,
  // The hypervisor goes on with the next stage, or its locks: those are steps of their own.
  PC.pkvmWalked,
  PC.pkvmRelease,
  PC.pkvmUnlock,
  PC.pkvmRecycle,
]);

/** Reads and counts that are nobody else's business while the lock is held to write: others only walk in hardware, which reads. */
const LOCAL_TO_WRITER = new Set<number>([
  PC.walkRead,
  PC.walkReread,
  PC.mapSoftwareCount,
  PC.unmapPut,
  PC.unmapCount,
  PC.unmapPutParent,
  PC.v61DropLeaf,
  PC.v61ClearPut,
  PC.v61Get,
  PC.v61PutParent,
  PC.v61UnmapCount,
  PC.v61UnmapPut,
]);

/** Steps of a teardown in the table at hand. */
const TEARS_DOWN = new Set<number>([PC.walkRead, PC.walkReread, PC.freeLeaf, PC.freeLock, PC.freeRootCount]);

/** Requests of a core of a pKVM machine that take the lock of the host's stage-2 as its policy has faults take it. */
const FAULTS_ONLY = new Set<number>([COMMAND.access, COMMAND.hostFault]);

/** Steps that read the root, the memslots or the count of their changes: what only the VMM thread changes. */
const READS_MEMORY_MAP = new Set<number>([PC.faultTaken, PC.faultSized, PC.faultLocked, PC.faultUnlocked, PC.faultWalked, PC.walkBegin]);

/** Whether the next step of `walker` concerns nobody else. */
export function isLocalStep(subject: Subject, walker: Walker): boolean {
  const { pc } = walker;
  const { machine } = subject;
  // What orders stores makes visible what is held back.
  if (machine.buffers?.isDrained(walker.actor) === false) return false;
  if (ALWAYS.has(pc)) return true;
  if (READS_MEMORY_MAP.has(pc)) return isMapSettled(subject);
  if (pc === PC.reclaimAsk && machine.buffers === undefined)
    return machine.policyOf(walker).asksInPrivate?.(machine, walker, (actor) => mayWalk(subject, actor)) === true;
  if (pc === PC.walkReread && isUnheeded(subject, walker)) return true;
  // A hardware walk that an invalidation has overtaken begins anew, whatever it would read.
  if (pc === PC.guestRead && walker.hardwareEpoch !== machine.stage2(walker).invalidationEpoch) return true;
  // Who has read that another has locked the descriptor does not try.
  if (pc === PC.mapBreak && isLocked(walker.oldLo, walker.oldHi)) return true;
  if (pc === PC.idle) return isLocalRequest(subject, walker.actor);
  if (pc === PC.lockAcquire || pc === PC.lockRelease) return walker.lockMode === LOCK_MODE.read && !mayWrite(subject);
  if (LOCAL_TO_WRITER.has(pc) && walker.lockMode === LOCK_MODE.write && !hardwareWrites(subject)) return true;
  if (TEARS_DOWN.has(pc) && walker.op === OP.freeUnlinked)
    return machine.buffers?.isEmpty !== false && isPrivate(machine, walker.table, walker.actor);
  if (pc === PC.hostChunkDone) return walker.rangeCursor >= walker.rangeEnd;
  if (pc === PC.hostLocked) return walker.command !== COMMAND.destroy && walker.command !== COMMAND.destroyVm;
  // Who has pages in which state is looked at and changed under the host's lock alone; a host's fault looks only at the memory map.
  if (pc === PC.pkvmStage) return walker.program === OPERATION.hostFault || (walker.held & HELD.host) !== 0;
  // A sub-tree that is built before it is linked is its builder's alone.
  if (walker.op === OP.createUnlinked && pc !== PC.mapAllocate && (pc >> 5 === GROUP.walk || pc >> 5 === GROUP.map)) return true;
  return touchesWhatLasts(subject, walker);
}

/** Whether what is read again is not looked at, in a page that nobody frees any more: the walk is over whatever it is, or nothing hangs below. */
function isUnheeded(subject: Subject, { visitResult, flags, level, table, vmid, op }: Walker): boolean {
  const ends = visitResult !== RESULT.ok && (visitResult !== RESULT.eagain || (flags & WALK_FLAG.ignoreEagain) === 0);
  if ((!ends && level < LAST_LEVEL) || op === OP.freeUnlinked) return false;
  const { root, rootPages } = subject.machine.world.stage2(vmid);
  return table >= root && table < root + rootPages && root >= 0 && !mayDestroy(subject);
}

/** Whether the actor may still begin, or be in, a walk that others share. */
function mayWalk({ machine, script }: Subject, actor: number): boolean {
  if (actor === machine.reclaimActor || machine.walkers[actor]!.isFinished) return false;
  if (actor < machine.config.vcpus) return true;
  return (
    (machine.walkers[actor]!.flags & WALK_FLAG.shared) !== 0 || script.left(actor).some(({ flags = 0 }) => (flags & WALK_FLAG.shared) !== 0)
  );
}

/** Whether anybody may still want the lock to write. */
function mayWrite(subject: Subject): boolean {
  const { machine, script } = subject;
  const { policy } = machine;
  if (machine.hypervisor !== undefined && machine.walkers.some((walker) => mayCallHypervisor(script, walker))) return true;
  if (policy.faultLock === LOCK_MODE.write || !policy.capabilities.collapsesInParallel) return true;
  if (machine.world.stage2s.some((stage2) => stage2 !== undefined && (stage2.lock.writer >= 0 || stage2.lock.waitingCount > 0)))
    return true;
  return mayHostWrite(subject);
}

function mayCallHypervisor(script: Script, { actor, pc, command }: Walker): boolean {
  const calls = pc !== PC.idle && pc !== PC.finished && pc >> 5 !== GROUP.reclaim && !FAULTS_ONLY.has(command);
  return calls || script.left(actor).some(({ kind }) => !FAULTS_ONLY.has(kind));
}

/** Whether the hardware may set an access flag: only where somebody clears them. */
function hardwareWrites({ machine, script }: Subject): boolean {
  return machine.config.hardwareAccessFlag && script.asks(COMMAND.ageRange);
}

function isLocalRequest({ script }: Subject, actor: number): boolean {
  const request = script.upcoming(actor);
  if (request === undefined) return true;
  return request.kind === COMMAND.map && ((request.flags ?? 0) & WALK_FLAG.shared) !== 0;
}
