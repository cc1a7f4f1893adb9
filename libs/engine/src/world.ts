import type { Geometry, LeafFeatures } from '@s2lab/arch';
import { alignDown, geometry, spanBytes } from '@s2lab/arch';
import { DSB, K, LOCK_MODE, OPERATION, TLBI } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import { Memslot } from './memslots.ts';
import type { StateWords } from './state-words.ts';
import { TablePages } from './table-pages.ts';
import { Tlb } from './tlb.ts';

/** TLBIs that one actor may have outstanding before they count as "all of the VMID". */
const PENDING_MAX = 16;

/**
 * Everything that actors share: tables, lock, read-side sections, retired sub-trees, TLBs. Only `evolve` changes it, live or
 * replayed, so folding a log rebuilds it at any event.
 */
export class World {
  readonly shape: Geometry;
  readonly features: LeafFeatures;
  readonly vcpus: number;
  readonly actors: number;
  readonly pages: TablePages;
  readonly tlb: Tlb;
  /** Memslots in order of creation: a handful, searched in turn. */
  readonly memslots: Memslot[] = [];
  /** First root page, -1 when there is no stage-2. */
  root = -1;
  /** MMU notifier sequence: counts changes that an ongoing fault must notice. @source mmu.c mmu_invalidate_seq */
  invalidateSeq = 0;

  readers = 0;
  writer = -1;
  /** Waiting actors in order of arrival, and the mode each waits for. */
  readonly waiting: Int32Array;
  readonly waitingMode: Uint8Array;
  waitingCount = 0;

  readonly inSection: Uint8Array;
  /** Retired sub-trees not yet torn down, a ring: table, level, grace period (or epoch) it must wait for. */
  retired: Int32Array = new Int32Array(3 * 16);
  retiredHead = 0;
  retiredCount = 0;
  /** Number of the last grace period begun, or the global epoch: a policy has one of the two. */
  gracePeriod = 0;
  gracePeriodOpen = 0;
  /** 1 for each actor whose section the open grace period waits for. */
  readonly awaited: Uint8Array;
  awaitedCount = 0;

  private readonly pendingOp: Uint8Array;
  private readonly pendingIpa: Float64Array;
  private readonly pendingBytes: Float64Array;
  private readonly pendingCount: Int32Array;
  /** Rises when invalidations take effect: a hardware walk begun before starts anew. */
  invalidationEpoch = 0;

  constructor(config: MachineConfig) {
    this.shape = geometry(config.pageShift, config.ipaBits, config.lpa2, config.indexBits);
    this.features = { fwb: config.fwb, xnx: config.xnx, asStage1: config.asStage1 };
    this.vcpus = config.vcpus;
    this.actors = config.vcpus + 2;
    this.pages = new TablePages(this.shape, config.reuseFrames);
    this.tlb = new Tlb(this.shape, config.vcpus, config.tlbEntries, config.walkCacheEntries);
    this.waiting = new Int32Array(this.actors);
    this.waitingMode = new Uint8Array(this.actors);
    this.inSection = new Uint8Array(this.actors);
    this.awaited = new Uint8Array(this.actors);
    this.pendingOp = new Uint8Array(this.actors * PENDING_MAX);
    this.pendingIpa = new Float64Array(this.actors * PENDING_MAX);
    this.pendingBytes = new Float64Array(this.actors * PENDING_MAX);
    this.pendingCount = new Int32Array(this.actors);
  }

  /** Applies one event. Arguments are the columns of the event schema; kinds that change nothing shared fall through. */
  evolve(
    kind: number,
    actor: number,
    level: number,
    slot: number,
    table: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    switch (kind) {
      case K.descriptorStored:
      case K.descriptorReleased:
      case K.descriptorSwapped:
      case K.descriptorHardwareUpdated:
        this.pages.write(table, slot, newLo, newHi);
        return;
      case K.referenceGot:
      case K.referencePut:
        this.pages.count(table, arg);
        return;
      case K.tableAllocated:
      case K.tableReused:
        this.pages.allocate(table, level);
        return;
      case K.tableFreed:
        this.pages.free(table);
        return;
      case K.lockAcquired:
        this.takeLock(actor, aux);
        return;
      case K.lockReleased:
        if (aux === LOCK_MODE.write) this.writer = -1;
        else this.readers -= 1;
        return;
      case K.lockContended:
        this.waiting[this.waitingCount] = actor;
        this.waitingMode[this.waitingCount] = aux;
        this.waitingCount += 1;
        return;
      case K.tlbiIssued:
        this.issueTlbi(actor, arg, ipa, level, aux);
        return;
      case K.dsbCompleted:
        this.completeTlbis(actor, arg);
        return;
      case K.tlbFilled:
        this.tlb.fill(actor, ipa, level, newLo, newHi);
        return;
      case K.walkCacheFilled:
        this.tlb.fillStep(actor, ipa, level, arg);
        return;
      case K.tlbEvicted:
        this.evict(actor, ipa, level, aux);
        return;
      case K.guestAccessed:
      case K.descriptorRead:
      case K.hardwareDescriptorRead:
        return;
      default:
        this.evolveRare(kind, actor, level, table, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    }
  }

  private evolveRare(
    kind: number,
    actor: number,
    level: number,
    table: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    switch (kind) {
      case K.walkerReferenceGot:
      case K.walkerReferencePut:
        this.pages.hold(table, arg);
        return;
      case K.readSectionEntered:
        this.inSection[actor] = 1;
        return;
      case K.readSectionLeft:
        this.leaveSection(actor);
        return;
      case K.gracePeriodBegan:
        this.beginGracePeriod(arg);
        return;
      case K.epochAdvanced:
        this.gracePeriod = arg;
        return;
      case K.gracePeriodEnded:
        this.gracePeriodOpen = 0;
        return;
      case K.tableRetired:
        // What its holders free is not the reclaim worker's.
        if (arg === 0) this.retire(table, level);
        return;
      case K.reclaimBegan:
        if (this.retiredCount > 0 && this.retired[this.retiredHead] === table) this.dropRetired();
        return;
      case K.stage2Created:
        this.root = table;
        return;
      case K.stage2Destroyed:
        this.root = -1;
        return;
      case K.memslotCreated:
        this.memslots.push(new Memslot(arg, ipa, wide(oldLo, oldHi), wide(newLo, newHi), (aux & 1) !== 0));
        return;
      case K.memslotDeleted:
        this.removeMemslot(arg);
        return;
      case K.operationBegan:
        if (arg === OPERATION.unmapRange) this.invalidateSeq += 1;
        return;
      case K.dirtyLogStarted:
      case K.dirtyLogStopped:
        this.setLogging(arg, kind === K.dirtyLogStarted, aux);
        return;
      case K.dirtyLogCleared:
        this.setDirty(arg, ipa, wide(oldLo, oldHi), false);
        return;
      case K.pageDirtied:
        this.setDirty(arg, ipa, this.shape.pageBytes, true);
        return;
      default:
        return;
    }
  }

  /** Whether `actor` may take the lock now: nobody in its way, and nobody who waits longer. */
  lockFree(actor: number, mode: number): boolean {
    if (this.writer >= 0 || (mode === LOCK_MODE.write && this.readers > 0)) return false;
    for (let i = 0; i < this.waitingCount; i += 1) {
      if (this.waiting[i] === actor) return true;
      if (mode === LOCK_MODE.write || this.waitingMode[i] === LOCK_MODE.write) return false;
    }
    return true;
  }

  private takeLock(actor: number, mode: number): void {
    if (mode === LOCK_MODE.write) this.writer = actor;
    else this.readers += 1;
    for (let i = 0; i < this.waitingCount; i += 1) {
      if (this.waiting[i] !== actor) continue;
      this.waiting.copyWithin(i, i + 1, this.waitingCount);
      this.waitingMode.copyWithin(i, i + 1, this.waitingCount);
      this.waitingCount -= 1;
      return;
    }
  }

  private leaveSection(actor: number): void {
    this.inSection[actor] = 0;
    if (this.awaited[actor] === 0) return;
    this.awaited[actor] = 0;
    this.awaitedCount -= 1;
  }

  private beginGracePeriod(number: number): void {
    this.gracePeriod = number;
    this.gracePeriodOpen = 1;
    this.awaitedCount = 0;
    for (let actor = 0; actor < this.actors; actor += 1) {
      this.awaited[actor] = this.inSection[actor]!;
      this.awaitedCount += this.inSection[actor]!;
    }
  }

  private retire(table: number, level: number): void {
    const room = this.retired.length / 3;
    if (this.retiredCount === room) this.growRetired();
    const at = 3 * ((this.retiredHead / 3 + this.retiredCount) % (this.retired.length / 3));
    this.retired[at] = table;
    this.retired[at + 1] = level;
    // A grace period that has begun may not wait for a walker that entered since: only the next one covers this sub-tree.
    this.retired[at + 2] = this.gracePeriod + 1;
    this.retiredCount += 1;
  }

  private growRetired(): void {
    const bigger = new Int32Array(2 * this.retired.length);
    bigger.set(this.retired.subarray(this.retiredHead));
    bigger.set(this.retired.subarray(0, this.retiredHead), this.retired.length - this.retiredHead);
    this.retired = bigger;
    this.retiredHead = 0;
  }

  /** Writes the retired sub-trees, oldest first. */
  saveRetired(into: StateWords): void {
    into.put(this.retiredCount);
    for (let i = 0; i < 3 * this.retiredCount; i += 1) into.put(this.retired[(this.retiredHead + i) % this.retired.length]!);
  }

  /** Reads what `saveRetired` wrote. */
  loadRetired(from: StateWords): void {
    const count = from.get();
    while (3 * count > this.retired.length) this.retired = new Int32Array(2 * this.retired.length);
    this.retiredHead = 0;
    this.retiredCount = count;
    from.getAll(this.retired, 0, 3 * count);
  }

  /** Writes the invalidations that each actor has issued and that no DSB has completed. */
  savePending(into: StateWords): void {
    for (let actor = 0; actor < this.actors; actor += 1) {
      const from = actor * PENDING_MAX;
      const to = from + this.pendingCount[actor]!;
      into.put(this.pendingCount[actor]!);
      into.putAll(this.pendingOp, from, to);
      into.putAllWide(this.pendingIpa, from, to);
      into.putAllWide(this.pendingBytes, from, to);
    }
  }

  /** Reads what `savePending` wrote. */
  loadPending(words: StateWords): void {
    for (let actor = 0; actor < this.actors; actor += 1) {
      const from = actor * PENDING_MAX;
      this.pendingCount[actor] = words.get();
      const to = from + this.pendingCount[actor];
      words.getAll(this.pendingOp, from, to);
      words.getAllWide(this.pendingIpa, from, to);
      words.getAllWide(this.pendingBytes, from, to);
    }
  }

  private dropRetired(): void {
    this.retiredHead = (this.retiredHead + 3) % this.retired.length;
    this.retiredCount -= 1;
  }

  private issueTlbi(actor: number, op: number, ipa: number, level: number, pages: number): void {
    const n = this.pendingCount[actor]!;
    const last = actor * PENDING_MAX + Math.min(n, PENDING_MAX - 1);
    this.pendingOp[last] = n < PENDING_MAX ? op : TLBI.vmalls12e1is;
    // Without a level hint the invalidation may take out the largest block around the address.
    const bytes = op === TLBI.ripas2e1is ? pages * this.shape.pageBytes : level >= 0 ? spanBytes(this.shape, level) : this.shape.pageBytes;
    this.pendingIpa[last] = op === TLBI.ripas2e1is ? ipa : alignDown(ipa, bytes);
    this.pendingBytes[last] = bytes;
    this.pendingCount[actor] = Math.min(n + 1, PENDING_MAX);
  }

  private completeTlbis(actor: number, domain: number): void {
    const n = this.pendingCount[actor]!;
    if (n === 0 || domain === DSB.ishst || domain === DSB.nshst) return;
    this.pendingCount[actor] = 0;
    this.invalidationEpoch += 1;
    for (let i = actor * PENDING_MAX; i < actor * PENDING_MAX + n; i += 1) {
      const op = this.pendingOp[i]!;
      const local = op === TLBI.ipas2e1 || op === TLBI.vmalle1;
      if (local && actor >= this.vcpus) continue;
      const from = local ? actor : 0;
      const to = local ? actor + 1 : this.vcpus;
      if (op === TLBI.vmalls12e1is) this.tlb.dropAll(from, to);
      else if (op === TLBI.vmalle1is || op === TLBI.vmalle1) this.tlb.dropCombined(from, to);
      else this.tlb.dropSteps(from, to, this.pendingIpa[i]!, this.pendingBytes[i]!);
    }
  }

  private evict(actor: number, ipa: number, level: number, walkCache: number): void {
    this.tlb.changed[actor] = 1;
    if (walkCache !== 0) this.tlb.walkTag[this.tlb.walkPlace(actor, ipa, level)] = 0;
    else this.tlb.tag[this.tlb.place(actor, ipa, level)] = 0;
  }

  private removeMemslot(id: number): void {
    const i = this.memslots.findIndex((memslot) => memslot.id === id);
    if (i >= 0) this.memslots.splice(i, 1);
    this.invalidateSeq += 1;
  }

  /** The memslot with `id`, if there is one. */
  memslotById(id: number): Memslot | undefined {
    for (let i = 0; i < this.memslots.length; i += 1) if (this.memslots[i]!.id === id) return this.memslots[i];
    return undefined;
  }

  /** The memslot that holds `address`, if there is one. */
  memslotAt(address: number): Memslot | undefined {
    for (let i = 0; i < this.memslots.length; i += 1) if (this.memslots[i]!.holds(address)) return this.memslots[i];
    return undefined;
  }

  private setLogging(id: number, on: boolean, allSet: number): void {
    const memslot = this.memslotById(id);
    if (memslot === undefined) return;
    memslot.logging = on;
    memslot.dirtyChanged = true;
    // A fault that chose its mapping before logging began must choose anew: KVM waits for such faults before it write-protects
    // (kvm_swap_active_memslots: synchronize_srcu); here they find the memory map changed.
    if (on) this.invalidateSeq += 1;
    memslot.dirty = new Uint32Array(on ? Math.ceil(memslot.bytes / this.shape.pageBytes / 32) : 0);
    if (allSet !== 0) memslot.dirty.fill(0xffff_ffff);
  }

  private setDirty(id: number, ipa: number, bytes: number, dirty: boolean): void {
    const memslot = this.memslotById(id);
    if (memslot === undefined || memslot.dirty.length === 0) return;
    memslot.dirtyChanged = true;
    const first = Math.floor((ipa - memslot.ipa) / this.shape.pageBytes);
    const end = first + bytes / this.shape.pageBytes;
    for (let page = first; page < end; page += 1) {
      if (dirty) memslot.dirty[page >>> 5]! |= 1 << (page & 31);
      else memslot.dirty[page >>> 5]! &= ~(1 << (page & 31));
    }
  }
}

function wide(lo: number, hi: number): number {
  return (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
}
