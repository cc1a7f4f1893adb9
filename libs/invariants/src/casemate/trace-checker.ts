import { HINT, REGISTER, STORE_ORDER } from '@s2lab/events';
import { needsBreak } from '../rules/i03-break-before-make.ts';
import type { Finding } from './findings.ts';
import type { TraceLock, TraceRoot } from './locks-and-roots.ts';
import { TraceLocks, TraceRoots } from './locks-and-roots.ts';
import type { Reach } from './tlbi-reach.ts';
import { REACH } from './tlbi-reach.ts';
import { nextTable, spanOf, TraceTables } from './trace-tables.ts';
import { KIND, kindOf, LEVEL_SHIFT, SLOT, STATE } from './tracked-memory.ts';
import { PROGRESS, UncleanEntries } from './unclean-entries.ts';

/** Where the profile differs from the Arm architecture in casemate's way or in ours. */
export interface TraceDialect {
  /** As casemate 3.0.2: a valid descriptor may change in any way if the access flag is set before or after. */
  readonly accessFlagExcuses: boolean;
  /** A TLBI by VMID is of use only to the VMID loaded; casemate-check lets it be of use to all. */
  readonly vmidCompared: boolean;
}

const TWO_32 = 0x1_0000_0000;
const PAGE_BYTES = 4096;
const SLOT_BYTES = 8;
/** A mem-init or mem-free of more than this is not meant. */
const RANGE_MAX = 8192 * PAGE_BYTES;
const LO_ACCESSED = 0x400;
const HI_SOFTWARE = 0x0780_0000;
const NONE = -1;

/** Kinds of barrier as `dsb-completed` has them. */
const DSB_ISH = 1;
const DSB_NSH = 3;

/** The registers of one thread; what was never written has casemate-check's default. */
export class ThreadRegisters {
  readonly lo = new Int32Array(8);
  readonly hi = new Int32Array(8);
  readonly written = new Uint8Array(8);
  readonly loaded: { stage1: TraceRoot | undefined; stage2: TraceRoot | undefined } = { stage1: undefined, stage2: undefined };

  constructor() {
    this.lo[REGISTER.vtcr] = 0x10;
    this.lo[REGISTER.tcr] = 0x10;
    this.lo[REGISTER.hcr] = 1;
    this.lo[REGISTER.sctlr] = 1;
  }
}

/** A number that tells addresses apart: exact below 2^53, which is all that tables and locks have of them. */
function addressKey(lo: number, hi: number): number {
  return (hi & 0x1f_ffff) * TWO_32 + (lo >>> 0);
}

function pageOf(lo: number, hi: number): number {
  return (hi >>> 0) * 0x10_0000 + (lo >>> 12);
}

/**
 * Whether the valid leaf descriptor `before` may become the valid leaf `after` without a break, both of one level: as Arm says, and
 * stricter, as casemate, that an entry without access flag changes nothing but software bits.
 */
function mayReplace(beforeLo: number, beforeHi: number, lo: number, hi: number, dialect: TraceDialect): boolean {
  const accessed = ((beforeLo | lo) & LO_ACCESSED) !== 0;
  if (accessed) return dialect.accessFlagExcuses || !needsBreak(beforeLo ^ lo, beforeHi ^ hi);
  return beforeLo === lo && ((beforeHi ^ hi) & ~HI_SOFTWARE) === 0;
}

/**
 * Judges one trace of plain memory, registers, barriers and TLBIs by the rules of casemate 3.0.2: which memory is part of which tree,
 * and whether every entry of a tree goes from valid to invalid to valid under its lock and with the maintenance that Arm demands.
 * It stops at the first finding, as casemate does: what follows would be judged by a state that cannot be.
 * @source github.com/rems-project/casemate 3.0.2, semantics described anew; Arm ARM DDI 0487, "Using break-before-make"
 */
export class TraceChecker {
  private readonly dialect: TraceDialect;
  private readonly tables = new TraceTables();
  private readonly memory = this.tables.memory;
  private readonly locks = new TraceLocks();
  private readonly roots = new TraceRoots();
  private readonly unclean = new UncleanEntries();
  private readonly threads: ThreadRegisters[] = [];
  /** The unclean entry that the last finding is about: its event, or -1. */
  brokenAt = NONE;
  /** How far the invalidation of that entry had come. */
  brokenProgress: number = PROGRESS.stored;
  /** The event that took the lock that the last finding is about, and who holds it, or -1. */
  lockedAt = NONE;
  lockedBy = NONE;

  constructor(dialect: TraceDialect) {
    this.dialect = dialect;
  }

  /** Memory [address, address+bytes) is followed from now on. */
  initialise(lo: number, hi: number, bytes: number): Finding | undefined {
    if (bytes > RANGE_MAX) return 'tooMuchMemory';
    const { memory } = this;
    let page = pageOf(lo, hi);
    let offset = lo & (PAGE_BYTES - 1) & ~7;
    for (let done = 0; done < bytes; done += SLOT_BYTES, offset += SLOT_BYTES) {
      if (offset === PAGE_BYTES) {
        page += 1;
        offset = 0;
      }
      const i = memory.make(page, offset);
      if (i < 0) return 'tooMuchMemory';
      if ((memory.flags[i]! & SLOT.init) === 0) memory.initialise(i);
      else if ((memory.flags[i]! & SLOT.entry) !== 0 || (memory.lo[i]! | memory.hi[i]!) !== 0) return 'initialisedUsed';
    }
    return undefined;
  }

  /** Memory [address, address+bytes) is given back. */
  free(lo: number, hi: number, bytes: number): Finding | undefined {
    if (bytes > RANGE_MAX) return 'tooMuchMemory';
    const { memory } = this;
    let page = pageOf(lo, hi);
    let offset = lo & (PAGE_BYTES - 1) & ~7;
    for (let done = 0; done < bytes; done += SLOT_BYTES, offset += SLOT_BYTES) {
      if (offset === PAGE_BYTES) {
        page += 1;
        offset = 0;
      }
      const i = memory.find(page, offset);
      if (i < 0 || (memory.flags[i]! & SLOT.init) === 0) continue;
      if ((memory.flags[i]! & SLOT.entry) !== 0) return 'freedEntry';
      memory.release(i, page);
    }
    return undefined;
  }

  /** Plain stores of one value all over whole pages. */
  fill(thread: number, seq: number, lo: number, hi: number, bytes: number, valueLo: number, valueHi: number): Finding | undefined {
    if ((lo & (PAGE_BYTES - 1)) !== 0 || bytes % PAGE_BYTES !== 0) return 'filledPart';
    if (bytes > RANGE_MAX) return 'writtenUnknown';
    const page = pageOf(lo, hi);
    for (let done = 0; done < bytes; done += SLOT_BYTES) {
      const i = this.memory.find(page + Math.floor(done / PAGE_BYTES), done & (PAGE_BYTES - 1));
      const found = this.store(thread, seq, i, valueLo, valueHi, true, false);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A store of 64 bits. */
  write(thread: number, seq: number, lo: number, hi: number, valueLo: number, valueHi: number, order: number): Finding | undefined {
    const i = this.memory.find(pageOf(lo, hi), lo & (PAGE_BYTES - 1));
    return this.store(thread, seq, i, valueLo, valueHi, order === STORE_ORDER.plain, true);
  }

  /** @param seen whether a walk that the store causes sees the new value already */
  private store(thread: number, seq: number, i: number, lo: number, hi: number, plain: boolean, seen: boolean): Finding | undefined {
    const { memory } = this;
    const flags = i < 0 ? 0 : memory.flags[i]!;
    if ((flags & SLOT.init) === 0) return 'writtenUnknown';
    const beforeLo = memory.lo[i]!;
    const beforeHi = memory.hi[i]!;
    if (seen) {
      memory.lo[i] = lo;
      memory.hi[i] = hi;
    }
    const found = (flags & SLOT.entry) === 0 ? undefined : this.change(thread, seq, i, flags, beforeLo, beforeHi, lo, hi, plain);
    memory.lo[i] = lo;
    memory.hi[i] = hi;
    return found;
  }

  private change(
    thread: number,
    seq: number,
    i: number,
    flags: number,
    beforeLo: number,
    beforeHi: number,
    lo: number,
    hi: number,
    plain: boolean,
  ): Finding | undefined {
    const valid = (lo & 1) !== 0;
    const state = flags & SLOT.state;
    const barred = this.authorise(thread, i, plain && (state === STATE.valid || valid));
    if (barred !== undefined) return barred;
    if ((flags & SLOT.frozen) !== 0) {
      const same = beforeLo === lo && beforeHi === hi;
      return same || (!valid && (beforeLo & 1) === 0) ? undefined : 'uncleanParent';
    }
    if (state === STATE.unclean) return valid ? this.about(i, 'madeUnclean') : undefined;
    const level = (flags & SLOT.level) >>> LEVEL_SHIFT;
    if (state === STATE.clean) return valid ? this.make(thread, i, flags, level, lo, hi) : undefined;
    if (!valid) return this.break(thread, seq, i, flags, level, beforeLo, beforeHi);
    const kind = kindOf(lo, level);
    if (kind < 0) return 'badEncoding';
    if ((flags & SLOT.kind) === KIND.table || kind === KIND.table) return 'liveChange';
    return mayReplace(beforeLo, beforeHi, lo, hi, this.dialect) ? undefined : 'liveChange';
  }

  /** Whether `thread` may write the entry, and whether plainly. `delicate`: a plain store that concerns a valid descriptor. */
  private authorise(thread: number, i: number, delicate: boolean): Finding | undefined {
    const owner = this.memory.owner(i);
    if (owner >= 0) return owner === thread ? undefined : 'foreignEntry';
    const { lock } = this.roots.all[this.memory.root[i]!]!;
    if (lock === undefined) return 'rootWithoutLock';
    if (lock.holder !== thread) return this.aboutLock(lock, 'writeWithoutLock');
    if (lock.mayPlain) lock.mayPlain = false;
    else if (delicate) return this.aboutLock(lock, 'plainWrite');
    return undefined;
  }

  private make(thread: number, i: number, flags: number, level: number, lo: number, hi: number): Finding | undefined {
    const kind = kindOf(lo, level);
    if (kind < 0) return 'badEncoding';
    if (kind === KIND.table) {
      this.tables.thread = thread;
      const root = this.roots.all[this.memory.root[i]!]!;
      const found = this.tables.mark(nextTable(lo, hi), this.memory.ia[i]!, level + 1, root);
      if (found !== undefined) return found;
    }
    this.memory.flags[i] = (flags & ~(SLOT.state | SLOT.kind)) | STATE.valid | kind;
    return undefined;
  }

  private break(thread: number, seq: number, i: number, flags: number, level: number, lo: number, hi: number): Finding | undefined {
    this.memory.flags[i] = (flags & ~SLOT.state) | STATE.unclean;
    this.unclean.add(i, thread, lo, hi, seq);
    if ((flags & SLOT.kind) !== KIND.table) return undefined;
    this.tables.thread = thread;
    return this.tables.freeze(nextTable(lo, hi), level + 1);
  }

  /** A DSB, one of DSB. */
  barrier(thread: number, domain: number): Finding | undefined {
    const { unclean } = this;
    if (unclean.count > 0) {
      for (let n = unclean.count - 1; n >= 0; n--) {
        const found = this.complete(thread, n, domain);
        if (found !== undefined) return found;
      }
      this.sweep();
    }
    this.locks.barrier(thread);
    return undefined;
  }

  private complete(thread: number, n: number, domain: number): Finding | undefined {
    const { unclean, memory } = this;
    const i = unclean.slot[n]!;
    const flags = memory.flags[i]!;
    if (!isUnclean(flags) || !this.isLockedBy(thread, i)) return undefined;
    if (domain === DSB_NSH) return this.about(i, 'nsh');
    if (unclean.thread[n] !== thread) return undefined;
    const progress = unclean.progress[n]!;
    if (progress === PROGRESS.stored) unclean.progress[n] = PROGRESS.visible;
    if (domain !== DSB_ISH) return undefined;
    if (progress === PROGRESS.stage2Issued) unclean.progress[n] = PROGRESS.stage2Done;
    if (progress !== PROGRESS.issued) return undefined;
    const level = (flags & SLOT.level) >>> LEVEL_SHIFT;
    if ((flags & SLOT.kind) === KIND.table) {
      const below = nextTable(unclean.oldLo[n]!, unclean.oldHi[n]!);
      this.tables.thread = thread;
      const found = this.tables.isClean(below, level + 1, false) ?? this.tables.unmark(below, level + 1);
      if (found !== undefined) return this.about(i, found);
    }
    const kind = Math.max(KIND.invalid, kindOf(memory.lo[i]!, level));
    memory.flags[i] = (memory.flags[i]! & ~(SLOT.state | SLOT.kind)) | STATE.clean | kind;
    return undefined;
  }

  private sweep(): void {
    const { unclean, memory } = this;
    let kept = 0;
    for (let n = 0; n < unclean.count; n++) {
      if (!isUnclean(memory.flags[unclean.slot[n]!]!)) continue;
      unclean.move(n, kept);
      kept += 1;
    }
    unclean.count = kept;
  }

  /** A TLBI, one of INVALIDATION, with its operand. */
  invalidate(thread: number, op: number, operandLo: number, operandHi: number): Finding | undefined {
    const what = REACH[op];
    if (what === undefined || this.unclean.count === 0) return undefined;
    const address = ((operandHi & 0xfff) * TWO_32 + (operandLo >>> 0)) * PAGE_BYTES;
    for (let n = this.unclean.count - 1; n >= 0; n--) {
      const found = this.invalidateEntry(thread, n, what, address);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private invalidateEntry(thread: number, n: number, what: Reach, address: number): Finding | undefined {
    const { unclean, memory } = this;
    const i = unclean.slot[n]!;
    const flags = memory.flags[i]!;
    if (!isUnclean(flags) || ((flags & SLOT.stage1) !== 0) !== what.stage1 || !this.isLockedBy(thread, i)) return undefined;
    if (!what.everywhere) return this.about(i, 'localTlbi');
    if (what.by === 'address' && !this.covers(i, flags, what, address)) return undefined;
    if (!what.stage1 && (what.by === 'address' || (what.by === 'vmid' && this.dialect.vmidCompared))) {
      const loaded = this.threads[thread]?.loaded.stage2;
      if (loaded === undefined) return this.about(i, 'noRootLoaded');
      if (loaded.id !== this.roots.all[memory.root[i]!]!.id) return undefined;
    }
    if (unclean.thread[n] !== thread) return undefined;
    const progress = unclean.progress[n];
    if (progress === PROGRESS.visible) {
      if (what.covers === 'both') unclean.progress[n] = PROGRESS.issued;
      else if (what.covers === 'stage 2') unclean.progress[n] = PROGRESS.stage2Issued;
    } else if (progress === PROGRESS.stage2Done && what.covers !== 'stage 2') unclean.progress[n] = PROGRESS.issued;
    return undefined;
  }

  private covers(i: number, flags: number, what: Reach, address: number): boolean {
    if ((flags & SLOT.kind) === KIND.table) return false;
    const level = (flags & SLOT.level) >>> LEVEL_SHIFT;
    const ia = this.memory.ia[i]!;
    if (address < ia || address >= ia + spanOf(level)) return false;
    return !what.lastLevelOnly || level === 3;
  }

  /** A write of a system register, one of REGISTER. */
  writeRegister(thread: number, register: number, lo: number, hi: number): Finding | undefined {
    const own = this.registers(thread);
    const on = (switchRegister: number): boolean => (own.lo[switchRegister]! & 1) !== 0;
    let found: Finding | undefined;
    if (register === REGISTER.vttbr && on(REGISTER.hcr)) found = this.load(thread, false, lo, hi);
    else if (register === REGISTER.ttbr0 && on(REGISTER.sctlr)) found = this.load(thread, true, lo, hi);
    else if ((register === REGISTER.hcr || register === REGISTER.sctlr) && (lo & 1) !== 0 && !on(register)) {
      const base = register === REGISTER.hcr ? REGISTER.vttbr : REGISTER.ttbr0;
      found = own.written[base] === 0 ? 'noRootLoaded' : this.load(thread, register === REGISTER.sctlr, own.lo[base]!, own.hi[base]!);
    }
    own.lo[register] = lo;
    own.hi[register] = hi;
    own.written[register] = 1;
    return found;
  }

  /** Loads a root: from now on the thread's translations begin there. */
  private load(thread: number, stage1: boolean, lo: number, hi: number): Finding | undefined {
    const base = (hi & 0xffff) * TWO_32 + ((lo & ~1) >>> 0);
    const id = hi >>> 16;
    if (stage1 && id !== 0) return 'el2Asid';
    let root = this.roots.at(base);
    if (root === undefined) {
      const level = this.startLevel(thread, stage1);
      if (typeof level === 'string') return level;
      const added = this.roots.add(base, stage1, id);
      if (typeof added === 'string') return added;
      root = added;
      root.lock = this.locks.of(base);
      this.tables.thread = thread;
      const found = this.tables.mark(base, 0, level, root);
      if (found !== undefined) return found;
    } else if (root.id !== id) return 'rootOtherId';
    const { loaded } = this.registers(thread);
    const before = stage1 ? loaded.stage1 : loaded.stage2;
    if (before !== undefined) before.loaded -= 1;
    root.loaded += 1;
    if (stage1) loaded.stage1 = root;
    else loaded.stage2 = root;
    return undefined;
  }

  private startLevel(thread: number, stage1: boolean): number | Finding {
    const control = this.registers(thread).lo[stage1 ? REGISTER.tcr : REGISTER.vtcr]!;
    if ((control & 0xc000) !== 0) return 'granule';
    const bits = 64 - (control & 0x3f);
    if (bits < 21 || bits > 48) return 'addressBits';
    const level = Math.floor((48 - bits) / 9);
    const entries = 2 ** (bits - 12 - 9 * (3 - level));
    return !stage1 && entries <= 16 ? 'concatenated' : level;
  }

  /** A hint of the traced program, one of HINT. */
  hint(thread: number, hint: number, lo: number, hi: number, valueLo: number, valueHi: number): Finding | undefined {
    const location = addressKey(lo, hi);
    switch (hint) {
      case HINT.setRootLock: {
        const found = this.locks.assign(location, addressKey(valueLo, valueHi));
        const root = this.roots.at(location);
        if (root !== undefined) root.lock = this.locks.of(location);
        return found;
      }
      case HINT.setOwnerRoot:
        return this.ownPage(lo, hi);
      case HINT.releaseTable:
        return this.releaseTable(thread, lo, hi);
      case HINT.setPteThreadOwner:
        return this.ownEntry(lo, hi, valueLo);
      default:
        return undefined;
    }
  }

  /** casemate acts only on the slots from an address within a page to the page's end. */
  private ownPage(lo: number, hi: number): Finding | undefined {
    const page = pageOf(lo, hi);
    const from = lo & (PAGE_BYTES - 1);
    for (let offset = from; from !== 0 && offset < PAGE_BYTES; offset += SLOT_BYTES) {
      const i = this.memory.find(page, offset);
      if (i >= 0 && (this.memory.flags[i]! & SLOT.entry) !== 0) return 'ownedTwice';
    }
    return undefined;
  }

  private ownEntry(lo: number, hi: number, thread: number): Finding | undefined {
    const i = this.memory.find(pageOf(lo, hi), lo & (PAGE_BYTES - 1));
    const flags = i < 0 ? 0 : this.memory.flags[i]!;
    if ((flags & SLOT.init) === 0) return 'ownerOfNothing';
    if ((flags & SLOT.entry) === 0) return 'ownerOfMemory';
    if ((flags & SLOT.level) >>> LEVEL_SHIFT !== 3) return 'ownerOfTable';
    if (thread < 0) this.memory.owners.delete(i);
    else this.memory.owners.set(i, thread);
    return undefined;
  }

  private releaseTable(thread: number, lo: number, hi: number): Finding | undefined {
    const location = addressKey(lo, hi);
    this.locks.forget(location);
    const released = this.roots.at(location);
    if (released !== undefined) released.lock = undefined;
    const i = this.memory.find(pageOf(lo, hi), lo & (PAGE_BYTES - 1));
    if (i < 0 || (this.memory.flags[i]! & SLOT.entry) === 0) return undefined;
    const flags = this.memory.flags[i]!;
    this.tables.thread = thread;
    const owner = this.roots.all[this.memory.root[i]!]!;
    const unclean = this.tables.isClean(owner.base, (flags & SLOT.level) >>> LEVEL_SHIFT, true);
    if (unclean !== undefined) return unclean;
    if (released === undefined) return 'noRoot';
    if (released.loaded > 0) return 'rootInUse';
    const level = this.startLevel(thread, released.stage1);
    if (typeof level === 'string') return level;
    const found = this.tables.unmark(released.base, level);
    released.live = false;
    return found;
  }

  /** A lock is taken, or released. */
  lock(thread: number, seq: number, lo: number, hi: number, attempt: boolean): Finding | undefined {
    return this.locks.take(addressKey(lo, hi), thread, attempt, seq);
  }

  unlock(thread: number, lo: number, hi: number): Finding | undefined {
    return this.locks.release(addressKey(lo, hi), thread);
  }

  private registers(thread: number): ThreadRegisters {
    return (this.threads[thread] ??= new ThreadRegisters());
  }

  /** Whether the entry is safe from others while `thread` works on it. */
  private isLockedBy(thread: number, i: number): boolean {
    const owner = this.memory.owner(i);
    return owner >= 0 ? owner === thread : this.roots.all[this.memory.root[i]!]!.lock?.holder === thread;
  }

  /** Remembers which broken entry a finding is about. */
  private about(i: number, finding: Finding): Finding {
    const n = this.unclean.find(i);
    if (n >= 0) {
      this.brokenAt = this.unclean.since[n]!;
      this.brokenProgress = this.unclean.progress[n]!;
    }
    return finding;
  }

  private aboutLock(lock: TraceLock, finding: Finding): Finding {
    this.lockedAt = lock.holder < 0 ? NONE : lock.since;
    this.lockedBy = lock.holder;
    return finding;
  }
}

function isUnclean(flags: number): boolean {
  return (flags & SLOT.init) !== 0 && (flags & SLOT.entry) !== 0 && (flags & SLOT.state) === STATE.unclean;
}
