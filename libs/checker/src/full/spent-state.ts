import { LAST_LEVEL, powerOfTwo, spanBytes } from '@s2lab/arch';
import type { Stage2, TablePages, Tlb, Walker } from '@s2lab/engine';
import { backedShift, COMMAND, FRAME, GROUP, PC } from '@s2lab/engine';
import { ACCESS, FAULT, LOCK_MODE, OP, RESULT } from '@s2lab/events';
import { asksNoMore } from './lasting-tables.ts';
import { isOutOfSight } from './private-tables.ts';
import type { Request } from './script.ts';
import type { Subject } from './subject.ts';
import { isMapSettled } from './vmm-thread.ts';

/** Program counters at which a fault has yet to choose its size, and at which its walk is over. */
const UNSIZED = new Set<number>([PC.faultTaken, PC.faultTopUp, PC.faultSized]);
const WALKED = new Set<number>([PC.walkExit, PC.walkEnd, PC.faultWalked, PC.faultUnlocked]);
/** Walks of a fault that need no table pages. */
const NEEDS_NO_PAGES = new Set<number>([OP.relax, OP.mkyoung]);
/** Groups of program counters in which a vCPU walks for its fault. */
const WALKS = new Set<number>([GROUP.walk, GROUP.map, GROUP.attributes, GROUP.flush, GROUP.free, GROUP.v61]);

/**
 * What a machine still holds though nobody goes by it any more, or though all it could be comes to the same: states that differ in nothing else are one. Unlike dead registers
 * (engine, live-registers.ts) it may still be told, as the size of a fault that is over is. So it is cleared in the machine of a search alone; that in which paths are
 * judged keeps it, and its log is whole.
 */
export class SpentState {
  private readonly subject: Subject;
  /** Whether a rule (I12), or who clears them, looks at dirty bits. */
  private readonly heedsDirtyBits: boolean;
  private readonly tearsDownAtOnce: boolean;
  private cleared = false;

  /**
   * @param except ids of rules that are not judged
   * @param tearsDownAtOnce whether local steps are taken at once, as are those that tear down what nobody looks at: there are more of them the more is mapped
   */
  constructor(subject: Subject, except: readonly string[], tearsDownAtOnce: boolean) {
    this.subject = subject;
    this.tearsDownAtOnce = tearsDownAtOnce;
    this.heedsDirtyBits = !except.includes('I12') || subject.script.asks(COMMAND.dirtyLogClear);
  }

  /** Clears it in the present state. */
  clear(): void {
    const { subject } = this;
    const { machine } = subject;
    if (machine.hypervisor !== undefined) return;
    const settled = isMapSettled(subject);
    for (let vcpu = 0; vcpu < machine.config.vcpus; vcpu += 1) {
      const walker = machine.walkers[vcpu]!;
      if (walker.isFinished) continue;
      const stage2 = machine.stage2(walker);
      this.cleared = false;
      if (walker.command === COMMAND.access && walker.pc !== PC.idle) this.clearAccess(walker, stage2, settled);
      if (this.cleared) subject.moved |= 1 << vcpu;
      this.clearTlb(walker, stage2.tlb);
    }
    this.clearDirtyBits();
    if (asksNoMore(subject)) machine.forgetReaders();
    // A store that is held back may still map something in a table that seems to be out of sight.
    if (this.tearsDownAtOnce && machine.buffers === undefined) this.clearUnlinked();
  }

  /** Forgets what a table of the last level maps that nobody looks at any more: who tears it down only puts what it finds there. */
  private clearUnlinked(): void {
    const { machine } = this.subject;
    const { pages, shape } = machine.world;
    for (let table = 0; table < pages.used; table += 1) {
      if (pages.state[table] !== FRAME.live || pages.level[table] !== LAST_LEVEL) continue;
      if (isEmpty(pages, table, shape.entries) || !isOutOfSight(machine, table)) continue;
      for (let slot = 0; slot < shape.entries; slot += 1) pages.write(table, slot, 0, 0);
      pages.count(table, 1);
    }
  }

  private clearAccess(walker: Walker, stage2: Stage2, settled: boolean): void {
    const { pc, faultKind, lockMode } = walker;
    const group = pc >> 5;
    const next = group === GROUP.lock ? walker.lockReturn : pc;
    if (next === PC.faultTaken) {
      if (faultKind === FAULT.translation) {
        this.set(walker, 'faultLevel', 0);
        this.topUp(walker, stage2);
      }
    } else if (next === PC.faultLocked) {
      if (faultKind !== FAULT.accessFlag) this.clearChosen(walker, stage2, settled);
    } else if (next === PC.faultUnlocked) {
      this.clearSize(walker, stage2);
      this.set(walker, 'op', 0);
      this.set(walker, 'cachePages', 0);
    } else if (WALKS.has(group)) {
      // Unless the walk may be sent back to come again alone.
      if (lockMode === LOCK_MODE.write || this.subject.machine.policyOf(walker).capabilities.collapsesInParallel)
        this.clearSize(walker, stage2);
      if (walker.op === OP.relax || walker.op === OP.mkyoung) this.set(walker, 'cachePages', 0);
      if (walker.op === OP.relax) {
        this.flushed(walker, stage2);
        // The flush says at which level the leaf was; it takes effect at all of them.
        this.set(walker, 'flushLevel', 0);
      }
    }
    const goesByCache =
      (next === PC.faultLocked && walker.sequence === stage2.invalidateSeq) || next === PC.faultWalked || WALKS.has(group);
    if (settled && !goesByCache && this.willLog(walker, stage2)) this.topUp(walker, stage2);
    if (settled && this.mapsBlocks(walker, stage2, next)) {
      this.set(walker, 'cachePages', 0);
      // A map has its pages in hand, and gives back what is left of them.
      if (walker.op !== OP.map || !WALKS.has(group)) this.set(walker, 'memcache', this.subject.machine.config.cacheCapacity);
    }
    // A race that is lost only leaves a page unwritten.
    const lost = WALKED.has(next) && walker.result === RESULT.eagain;
    if (lost && !(this.heedsDirtyBits && mayLog(walker, stage2, settled))) this.set(walker, 'result', RESULT.ok);
  }

  /** Whether any fault that the vCPU handles, or may still take, maps a block right below the root, or changes a leaf: for that it needs no table page. */
  private mapsBlocks(walker: Walker, stage2: Stage2, next: number): boolean {
    const { machine, script } = this.subject;
    const { shape } = stage2;
    const memslot = stage2.memslotAt(walker.ipa);
    if (!script.isOver(walker.actor) || shape.startLevel !== LAST_LEVEL - 1 || memslot === undefined || memslot.logsWrites) return false;
    const backing = machine.backings.get(memslot.id);
    if (backing === undefined || backedShift(shape, memslot, backing, walker.ipa) === shape.pageShift) return false;
    const group = next >> 5;
    if (group === GROUP.guest || UNSIZED.has(next) || next === PC.faultUnlocked || next === PC.faultHandled) return true;
    if (next === PC.faultLocked) return walker.mapShift !== shape.pageShift || walker.faultKind === FAULT.accessFlag;
    if (!WALKS.has(group) && next !== PC.faultWalked) return false;
    return NEEDS_NO_PAGES.has(walker.op) || (walker.op === OP.map && walker.end - walker.start > shape.pageBytes);
  }

  /** Whether any fault that the vCPU may still take must be logged, so that it needs table pages. */
  private willLog({ access, ipa, actor, result, pc }: Walker, stage2: Stage2): boolean {
    if ((access & ACCESS.write) === 0 || (pc >> 5 !== GROUP.guest && result === RESULT.enomem)) return false;
    return this.subject.script.isOver(actor) && stage2.memslotAt(ipa)?.logsWrites === true;
  }

  /** A fault that is sure to need table pages finds its cache filled. */
  private topUp(walker: Walker, stage2: Stage2): void {
    const { cacheCapacity } = this.subject.machine.config;
    if (walker.starved === 0 && walker.memcache < LAST_LEVEL - stage2.shape.startLevel) this.set(walker, 'memcache', cacheCapacity);
  }

  /** A relaxation ends with a flush of the address on this core, won or lost. */
  private flushed({ actor, ipa }: Walker, { tlb, shape }: Stage2): void {
    tlb.dropCombined(actor, actor + 1);
    tlb.dropSteps(actor, actor + 1, ipa, shape.pageBytes);
  }

  /** A fault that finds the memory map changed gives up, whatever it was of; one of permissions at another size than that it maps is as one of a translation. */
  private clearChosen(walker: Walker, stage2: Stage2, settled: boolean): void {
    const givesUp = walker.sequence !== stage2.invalidateSeq;
    const { faultKind, faultLevel } = walker;
    if (givesUp || (faultKind === FAULT.permission && spanBytes(stage2.shape, faultLevel) !== powerOfTwo(walker.mapShift))) {
      this.set(walker, 'faultKind', FAULT.translation);
      this.set(walker, 'faultLevel', 0);
    }
    this.set(walker, 'cachePages', 0);
    if (givesUp) {
      this.set(walker, 'mapShift', 0);
      this.set(walker, 'faultIpa', 0);
    } else if (settled && walker.faultKind === FAULT.permission) this.flushed(walker, stage2);
  }

  /** The fault's walk has begun, or is over: for what, and since when, is told at its end. */
  private clearSize(walker: Walker, stage2: Stage2): void {
    this.set(walker, 'mapShift', 0);
    this.set(walker, 'faultIpa', 0);
    walker.sequence = stage2.invalidateSeq;
  }

  private set(
    walker: Walker,
    register: 'cachePages' | 'faultIpa' | 'faultKind' | 'faultLevel' | 'flushLevel' | 'mapShift' | 'memcache' | 'op' | 'result',
    value: number,
  ): void {
    if (walker[register] === value) return;
    walker[register] = value;
    this.cleared = true;
  }

  /** Drops translations of pages that the vCPU will not access any more. */
  private clearTlb({ actor, ipa, command, pc }: Walker, tlb: Tlb): void {
    const left = this.subject.script.left(actor);
    const isAccessed = (request: Request, e: number): boolean => request.kind === COMMAND.access && tlb.covers(e, request.ipa ?? 0);
    for (let e = actor * tlb.entries; e < (actor + 1) * tlb.entries; e += 1) {
      if (tlb.tag[e] === 0 || (command === COMMAND.access && pc !== PC.idle && tlb.covers(e, ipa))) continue;
      if (left.some((request) => isAccessed(request, e))) continue;
      tlb.tag[e] = 0;
      tlb.changed[actor] = 1;
    }
  }

  /** Forgets which pages are dirty that nobody writes any more. */
  private clearDirtyBits(): void {
    for (const stage2 of this.subject.machine.world.stage2s) {
      if (stage2 === undefined) continue;
      const { pageBytes } = stage2.shape;
      for (const { dirty, ipa, bytes } of stage2.memslots)
        for (let page = 0; page < Math.min(bytes / pageBytes, 32 * dirty.data.length); page += 1)
          if (!this.heedsDirtyBits || !this.mayBeWritten(ipa + page * pageBytes, pageBytes)) dirty.data[page >>> 5]! &= ~(1 << (page & 31));
    }
  }

  private mayBeWritten(page: number, bytes: number): boolean {
    const { machine, script } = this.subject;
    const isIn = (ipa: number): boolean => ipa >= page && ipa < page + bytes;
    return machine.walkers.some(
      ({ actor, command, pc, ipa, isFinished }) =>
        actor < machine.config.vcpus &&
        !isFinished &&
        ((command === COMMAND.access && pc !== PC.idle && isIn(ipa)) || script.left(actor).some((request) => isIn(request.ipa ?? 0))),
    );
  }
}

/** Whether a page that the fault of `walker` writes may be one that is logged. */
function mayLog(walker: Walker, stage2: Stage2, settled: boolean): boolean {
  return !settled || stage2.memslotById(walker.memslot)?.logging === true;
}

function isEmpty(pages: TablePages, table: number, entries: number): boolean {
  if (pages.references[table] !== 1) return false;
  const from = pages.indexOf(table, 0);
  for (let i = from; i < from + 2 * entries; i += 1) if (pages.descriptors[i] !== 0) return false;
  return true;
}
