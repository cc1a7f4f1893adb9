import { FAULT, LOCK_MODE, OP, RESULT } from '@s2lab/events';
import { GROUP, PC } from './pc.ts';
import type { Walker } from './walker.ts';
import { COMMAND } from './workload.ts';
import { REGISTER_COUNT, WALK_COUNT, WALK_FIRST, WALK_WIDE_COUNT, WALK_WIDE_FIRST, WIDE_COUNT } from './walker.ts';

/*
 * Which registers of a walker can still matter at its program counter. The others are 0 in the canonical form of a state, so that two ways
 * to one moment give one state. What is kept without need costs states; what is dropped though needed would be wrong, and a property
 * test (libs/testkit/src/canonical-state.prop.spec.ts) looks for it.
 */

/** Scratch registers that the live ones are copied into: a walker like any other. */
export interface Registers {
  readonly r: Int32Array;
  readonly a: Float64Array;
}

/** Registers of the command and of the fault that are dead while an actor is idle. */
const DEAD_WHEN_IDLE = [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/** … and for ever. */
const DEAD_WHEN_FINISHED = [2, 18];
/** … while it repeats its access: the fault before is over. */
const DEAD_IN_GUEST = [5, 7, 8, 9, 13, 14, 15];
/** Hardware walk. */
const HARDWARE = [10, 11, 12];
const HOST_PHASE = 3;
const LOCK_RETURN = 5;
const RETRIES = 21;
const WALK_ID = 22;
/** Level, table, slot, root pages to come. */
const PLACE = [25, 26, 27, 29];
const OLD = [33, 34];
const NEW = [35, 36];
const VISIT = [30, 31];
const FLUSH_KIND = 45;
const FLUSH_LEVEL = 46;
const FLUSH_RETURN = 47;
const FLUSH_SCALE = 48;
const FLUSH_ONLY = [FLUSH_KIND, FLUSH_RETURN, FLUSH_SCALE];
const FLUSH_WIDE = [11, 12];
const STACK = 50;
const VISIT_ADDRESS = 13;
const LEVELS = 4;

/** Program counters at which a fault or a straight walk has not begun its walk yet. */
const BEFORE_WALK = new Set<number>([PC.faultTaken, PC.faultTopUp, PC.faultSized, PC.faultLocked, PC.faultRelock]);
/** … at which its walk is over, and only how it ended matters. */
const AFTER_WALK = new Set<number>([PC.faultWalked, PC.faultUnlocked, PC.faultHandled, PC.straightWalked, PC.straightUnlocked]);
/** Where a map goes on that was all its caller wanted; the hypervisor's have more to do. */
const MAPS_ONCE = new Set<number>([PC.faultWalked, PC.straightWalked]);
const SEQUENCE = 14;
const HARDWARE_EPOCH = 12;
/** A number noted before is not the present one any more. */
const STALE = -1;
const OP_AT = 23;
const RESULT_AT = 32;
const VISIT_RESULT = 31;
const YOUNG = 44;
const PROT_AT = 38;
const CACHE_PAGES = 15;
const MEMCACHE = 18;
const FAULT_KIND = 7;
const FAULT_LEVEL = 8;
/** Of a map that is over: the child it made, what it was to map, its attributes. */
const MAPPED = [37, 38, 39, 40, 41, 42, 43];
/** Its address, range and physical address. */
const MAPPED_WIDE = [7, 8, 9, 10];
/** Program counters at which the first invalidation of a flush of one address was issued. */
const ISSUED = new Set<number>([PC.flushSync, PC.flushCombined, PC.flushLast, PC.flushIsb]);
/** Program counters at which the descriptor read before is not looked at again. */
const OLD_IS_DEAD = new Set<number>([
  PC.walkBegin,
  PC.walkEnter,
  PC.walkRead,
  PC.walkDescend,
  PC.walkReread,
  PC.walkAscend,
  PC.walkExit,
  PC.walkEnd,
  PC.walkUnwind,
  PC.walkRestart,
  PC.mapBarrier,
  PC.attributesBarrier,
  PC.relaxFlush,
]);

/**
 * Copies the registers of `walker` that can still matter into `into`; the others are 0. Of numbers noted before it keeps whether they
 * still equal the present ones, `epoch` and `sequence`: 0 if so, else -1.
 * @param returnsAlone whether a shared walk of the policy may be sent back to come again alone
 */
export function copyLiveRegisters(walker: Walker, epoch: number, sequence: number, returnsAlone: boolean, into: Registers): void {
  into.r.set(walker.r);
  into.a.set(walker.a);
  const { r, a } = into;
  r[HARDWARE_EPOCH] = walker.pc >> 5 !== GROUP.guest || walker.hardwareEpoch === epoch ? 0 : STALE;
  const handles = walker.command === COMMAND.access && walker.pc !== PC.faultTaken;
  r[SEQUENCE] = !handles || walker.sequence === sequence ? 0 : STALE;
  const { pc } = walker;
  const group = pc >> 5;
  if (group !== GROUP.lock) r[LOCK_RETURN] = 0;
  if (pc === PC.idle || pc === PC.finished || pc === PC.reclaimIdle || pc === PC.reclaimAsk) {
    // The reclaim worker counts there how many it has asked.
    const asked = pc === PC.reclaimAsk ? r[HOST_PHASE]! : 0;
    clear(r, DEAD_WHEN_IDLE);
    r[HOST_PHASE] = asked;
    if (pc === PC.finished) clear(r, DEAD_WHEN_FINISHED);
    a.fill(0, 0, WALK_WIDE_FIRST);
    clearWalks(r, a);
  } else if (group === GROUP.guest) {
    clear(r, DEAD_IN_GUEST);
    if (pc === PC.guestAccess) clear(r, HARDWARE);
    a.fill(0, 1, WALK_WIDE_FIRST);
    clearWalks(r, a);
  } else {
    // A vCPU has no hardware walk while it handles a fault; others keep the root that they destroy there.
    if (walker.command === COMMAND.access) clear(r, HARDWARE);
    const next = group === GROUP.lock ? walker.lockReturn : pc;
    clearFault(walker, next, returnsAlone, r);
    if (BEFORE_WALK.has(next)) clearWalks(r, a);
    else if (AFTER_WALK.has(next)) clearFinishedWalk(r, a);
    else if (group === GROUP.flush && AFTER_WALK.has(walker.flushReturn)) clearButFlush(walker, r, a);
    else {
      clearDeadInWalk(walker, r, a);
      if (isBetweenWalks(walker, next)) clearPlace(r, a);
    }
  }
}

/** Whether a host operation has no walk under way: it waits for the lock, flushes what it has walked, or ends. */
function isBetweenWalks({ flushReturn }: Walker, next: number): boolean {
  const at = next >> 5 === GROUP.flush ? flushReturn : next;
  return at >> 5 === GROUP.host || at >> 5 === GROUP.hostSplit;
}

/** Where the walk was, what it read and was to make: each walk finds those anew. */
function clearPlace(r: Int32Array, a: Float64Array): void {
  clear(r, PLACE);
  clear(r, VISIT);
  clear(r, OLD);
  clear(r, NEW);
  for (let i = 0; i < MAPPED_WIDE.length; i += 1) a[MAPPED_WIDE[i]!] = 0;
  r.fill(0, STACK, STACK + 4 * LEVELS);
  a.fill(0, VISIT_ADDRESS, VISIT_ADDRESS + LEVELS);
}

/** The walk is over but for this flush. */
function clearButFlush(
  { pc, flushKind, flushLevel, flushReturn, flushScale, flushIpa, flushPages }: Walker,
  r: Int32Array,
  a: Float64Array,
): void {
  clearFinishedWalk(r, a);
  r[FLUSH_KIND] = flushKind;
  // What is told of it is told by now.
  r[FLUSH_LEVEL] = ISSUED.has(pc) ? 0 : flushLevel;
  r[FLUSH_RETURN] = flushReturn;
  r[FLUSH_SCALE] = flushScale;
  a[FLUSH_WIDE[0]!] = flushIpa;
  a[FLUSH_WIDE[1]!] = flushPages;
}

function clearFinishedWalk(r: Int32Array, a: Float64Array): void {
  const op = r[OP_AT]!;
  const result = r[RESULT_AT]!;
  const young = r[YOUNG]!;
  const prot = result === RESULT.ebusy ? r[PROT_AT]! : 0;
  clearWalks(r, a);
  r[YOUNG] = young;
  r[PROT_AT] = prot;
  r[OP_AT] = op;
  r[RESULT_AT] = result;
  // A fault that must come back alone compares it once more.
  if (r[0] !== PC.faultWalked) r[SEQUENCE] = 0;
}

/** What kind of fault it was chooses size and walk; once that has begun, and is not begun again, all that matters is whether it was one of the access flag. */
function clearFault(walker: Walker, next: number, returnsAlone: boolean, r: Int32Array): void {
  if (walker.command !== COMMAND.access || next === PC.faultTaken) return;
  const handles = next >> 5 === GROUP.fault;
  // Other walks of a vCPU are the hypervisor's.
  if (!handles && walker.opReturn !== PC.faultWalked) return;
  const over = next === PC.faultUnlocked || next === PC.faultHandled;
  const begun = !handles || next === PC.faultWalked;
  const decided = over || (begun && !(returnsAlone && walker.lockMode === LOCK_MODE.read));
  if (walker.faultKind !== FAULT.permission || decided) r[FAULT_LEVEL] = 0;
  if (walker.faultKind === FAULT.permission && decided) r[FAULT_KIND] = FAULT.translation;
}

function clear(r: Int32Array, dead: readonly number[]): void {
  for (let i = 0; i < dead.length; i += 1) r[dead[i]!] = 0;
}

/** No walk is under way. A finished one leaves its result, which is looked at no more. */
function clearWalks(r: Int32Array, a: Float64Array): void {
  r.fill(0, WALK_FIRST, WALK_FIRST + 2 * WALK_COUNT);
  a.fill(0, WALK_WIDE_FIRST, WALK_WIDE_FIRST + 2 * WALK_WIDE_COUNT);
}

function clearDeadInWalk(walker: Walker, r: Int32Array, a: Float64Array): void {
  const { pc, op, level } = walker;
  const group = pc >> 5;
  r[RETRIES] = 0;
  r[WALK_ID] = 0;
  if (walker.opReturn === PC.faultWalked && op === OP.map) r[MEMCACHE] = 0;
  if (pc !== PC.walkReread && pc !== PC.walkVisited) r[VISIT_RESULT] = 0;
  if (op === OP.createUnlinked || op === OP.freeUnlinked) {
    // The walk that was put aside goes on where it stood, with another number.
    r[WALK_COUNT + RETRIES] = 0;
    r[WALK_COUNT + WALK_ID] = 0;
  } else {
    r.fill(0, WALK_FIRST + WALK_COUNT, WALK_FIRST + 2 * WALK_COUNT);
    a.fill(0, WALK_WIDE_FIRST + WALK_WIDE_COUNT, WALK_WIDE_FIRST + 2 * WALK_WIDE_COUNT);
  }
  if (group !== GROUP.flush) {
    clear(r, FLUSH_ONLY);
    for (let i = 0; i < FLUSH_WIDE.length; i += 1) a[FLUSH_WIDE[i]!] = 0;
    if (op === OP.map || op === OP.createUnlinked || op === OP.freeUnlinked || op === OP.unmap) r[FLUSH_LEVEL] = 0;
  }
  if (pc === PC.mapPutChild) {
    clear(r, OLD);
    clear(r, NEW);
  }
  if (OLD_IS_DEAD.has(pc)) {
    clear(r, OLD);
    if (op !== OP.leaf) clear(r, NEW);
    if (pc !== PC.walkReread) clear(r, VISIT);
  }
  if ((pc === PC.walkExit || pc === PC.walkEnd) && op === OP.map && MAPS_ONCE.has(walker.opReturn)) {
    const { prot } = walker;
    clear(r, PLACE);
    clear(r, MAPPED);
    // A vCPU's cache gets back what the walk left of it; that of a straight walk was its own, and it may come again alone.
    if (walker.result === RESULT.ebusy) r[PROT_AT] = prot;
    else if (walker.opReturn === PC.straightWalked) r[CACHE_PAGES] = 0;
    for (let i = 0; i < MAPPED_WIDE.length; i += 1) a[MAPPED_WIDE[i]!] = 0;
    r.fill(0, STACK, STACK + 4 * LEVELS);
    a.fill(0, VISIT_ADDRESS, VISIT_ADDRESS + LEVELS);
    return;
  }
  if ((pc === PC.walkBegin || pc === PC.walkEnter) && walker.topLevel < 0) {
    clear(r, PLACE);
    r.fill(0, STACK, STACK + 4 * LEVELS);
    a.fill(0, VISIT_ADDRESS, VISIT_ADDRESS + LEVELS);
    return;
  }
  // Levels at and below the present one are entered anew.
  r.fill(0, STACK, STACK + 4 * Math.max(0, walker.topLevel));
  r.fill(0, STACK + 4 * Math.max(0, level), STACK + 4 * LEVELS);
  for (let below = Math.max(0, level) + (pc === PC.walkRead ? 0 : 1); below < LEVELS; below += 1) a[VISIT_ADDRESS + below] = 0;
}

/** Clears the registers of `walker` that cannot matter any more. Numbers noted before stay, alive or not. */
export function clearDeadRegisters(walker: Walker, returnsAlone: boolean, scratch: Registers): void {
  const { hardwareEpoch, sequence } = walker;
  copyLiveRegisters(walker, hardwareEpoch, sequence, returnsAlone, scratch);
  walker.r.set(scratch.r);
  walker.a.set(scratch.a);
  walker.hardwareEpoch = hardwareEpoch;
  walker.sequence = sequence;
}

/** Registers to copy into, all 0. */
export function emptyRegisters(): Registers {
  return { r: new Int32Array(REGISTER_COUNT), a: new Float64Array(WIDE_COUNT) };
}
