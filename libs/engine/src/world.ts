import type { Geometry, LeafFeatures } from '@s2lab/arch';
import { alignDown, geometry, spanBytes } from '@s2lab/arch';
import { COMPONENT, DSB, K, LOCK, OPERATION, TLBI } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import { HypMemory } from './hyp-memory.ts';
import { Lock } from './lock.ts';
import { Memslot } from './memslots.ts';
import { Stage2 } from './stage2.ts';
import type { StateWords } from './state-words.ts';
import { TablePages } from './table-pages.ts';
import { swapRanges, Tlb } from './tlb.ts';

/** TLBIs that one actor may have outstanding before they count as "all of the VMID". */
const PENDING_MAX = 16;

/** VMID of a pending invalidation that concerns every stage-2. */
const EVERY_VMID = 0xffff;

/** Bits of `features` in stage2-created. */
export const FEATURE = { fwb: 1, tlbRange: 2, lpa2: 4, xnx: 8, asStage1: 16, identity: 32, hardwareAccessFlag: 64 } as const;

/**
 * Everything that actors share: table pages, the stage-2s, TLB maintenance under way. Only `evolve` changes it, live or replayed, so
 * folding a log rebuilds it at any event.
 */
export class World {
  /** Granule, spans and slots, which all stage-2s of a machine share; address size and start level are those of the first one. */
  readonly shape: Geometry;
  readonly vcpus: number;
  readonly actors: number;
  readonly pages: TablePages;
  /** The stage-2s by VMID, the column of the events: VMID 0 is the host's where there is one. A destroyed one stays until its VMID is used again. */
  readonly stage2s: (Stage2 | undefined)[] = [];
  /** What the hypervisor notes of memory; empty where there is none. */
  readonly memory: HypMemory;
  /** Locks that belong to no stage-2, LOCK.hyp first. */
  readonly locks: readonly Lock[];
  /** Retired sub-trees of all stage-2s. */
  retiredCount = 0;

  /** log2 of the descriptors in a table, 0 for those of the granule. */
  readonly indexBits: number;
  private readonly tlbEntries: number;
  private readonly walkCacheEntries: number;
  private readonly pendingOp: Uint8Array;
  private readonly pendingVmid: Uint16Array;
  private readonly pendingIpa: Float64Array;
  private readonly pendingBytes: Float64Array;
  private readonly pendingCount: Int32Array;

  constructor(config: MachineConfig) {
    this.indexBits = config.indexBits;
    this.shape = geometry(config.pageShift, config.ipaBits, config.lpa2, config.indexBits);
    this.vcpus = config.vcpus;
    this.actors = config.vcpus + 2;
    this.tlbEntries = config.tlbEntries;
    this.walkCacheEntries = config.walkCacheEntries;
    this.pages = new TablePages(this.shape, config.reuseFrames);
    this.memory = new HypMemory(this.shape.pageBytes);
    this.locks = [new Lock(this.actors), new Lock(this.actors)];
    this.pendingOp = new Uint8Array(this.actors * PENDING_MAX);
    this.pendingVmid = new Uint16Array(this.actors * PENDING_MAX);
    this.pendingIpa = new Float64Array(this.actors * PENDING_MAX);
    this.pendingBytes = new Float64Array(this.actors * PENDING_MAX);
    this.pendingCount = new Int32Array(this.actors);
    this.prepare(firstVmid(config), this.shape, { fwb: config.fwb, xnx: config.xnx, asStage1: config.asStage1 });
  }

  /** A lock by its LOCK code; that of a stage-2 by its VMID. */
  lockOf(vmid: number, lock: number): Lock {
    return lock === LOCK.mmu ? this.stage2(vmid).lock : this.locks[lock - 1]!;
  }

  /** The stage-2 with `vmid`, which must exist. */
  stage2(vmid: number): Stage2 {
    return this.stage2s[vmid]!;
  }

  /**
   * Makes room for a stage-2 that has no tables yet: done for the one a machine begins with, and by the event that creates one.
   * What was cached under its VMID before is cached still, and its lock is who holds it still.
   */
  prepare(vmid: number, shape: Geometry, features: LeafFeatures): Stage2 {
    const before = this.stage2s[vmid];
    const tlb = before?.tlb ?? new Tlb(this.shape, this.vcpus, this.tlbEntries, this.walkCacheEntries);
    const lock = before?.lock ?? new Lock(this.actors);
    while (this.stage2s.length < vmid) this.stage2s.push(undefined);
    return (this.stage2s[vmid] = new Stage2(vmid, { shape, features }, this.actors, { tlb, lock }));
  }

  /** Applies one event. Arguments are the columns of the event schema; kinds that change nothing shared fall through. */
  evolve(
    kind: number,
    actor: number,
    vmid: number,
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
        this.lockOf(vmid, arg).take(actor, aux);
        return;
      case K.lockReleased:
        this.lockOf(vmid, arg).release(aux);
        return;
      case K.lockContended:
        this.lockOf(vmid, arg).wait(actor, aux);
        return;
      case K.tlbiIssued:
        this.issueTlbi(actor, vmid, arg, ipa, level, aux);
        return;
      case K.dsbCompleted:
        this.completeTlbis(actor, arg);
        return;
      case K.tlbFilled:
        this.stage2(vmid).tlb.fill(actor, ipa, level, newLo, newHi);
        return;
      case K.walkCacheFilled:
        this.stage2(vmid).tlb.fillStep(actor, ipa, level, arg);
        return;
      case K.tlbEvicted:
        evict(this.stage2(vmid).tlb, actor, ipa, level, aux);
        return;
      case K.guestAccessed:
      case K.descriptorRead:
      case K.hardwareDescriptorRead:
        return;
      default:
        this.evolveRare(kind, actor, vmid, level, slot, table, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    }
  }

  private evolveRare(
    kind: number,
    actor: number,
    vmid: number,
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
      case K.walkerReferenceGot:
      case K.walkerReferencePut:
        this.pages.hold(table, arg);
        return;
      case K.readSectionEntered:
        this.stage2(vmid).inSection[actor] = 1;
        return;
      case K.readSectionLeft:
        this.stage2(vmid).leaveSection(actor);
        return;
      case K.gracePeriodBegan:
        this.stage2(vmid).beginGracePeriod(arg);
        return;
      case K.epochAdvanced:
        this.stage2(vmid).gracePeriod = arg;
        return;
      case K.gracePeriodEnded:
        this.stage2(vmid).gracePeriodOpen = 0;
        return;
      case K.tableRetired:
        // What its holders free is not the reclaim worker's.
        if (arg === 0) this.retire(this.stage2(vmid), table, level);
        return;
      case K.reclaimBegan:
        this.beginReclaim(this.stage2(vmid), table);
        return;
      case K.stage2Created:
        this.create(vmid, table, slot, arg, aux);
        return;
      case K.stage2Destroyed:
        this.stage2(vmid).root = -1;
        this.stage2(vmid).invalidationEpoch += 1;
        return;
      case K.guestCreated:
        this.prepareFrom(vmid, slot, aux);
        return;
      case K.memoryRegionAdded:
        this.memory.add(wide(newLo, newHi), wide(oldLo, oldHi), aux !== 0);
        return;
      case K.pageStateChanged: {
        const states = arg === COMPONENT.host ? this.memory.hostStates : this.memory.hypStates;
        this.memory.setStates(states, wide(newLo, newHi), wide(oldLo, oldHi), aux);
        return;
      }
      case K.pageShared:
      case K.pageUnshared: {
        const toGuest = arg === COMPONENT.host && aux === COMPONENT.guest;
        if (toGuest) this.memory.changeGuestShares(wide(newLo, newHi), wide(oldLo, oldHi), kind === K.pageShared ? 1 : -1);
        return;
      }
      default:
        this.evolveMemslots(kind, this.stage2(vmid), oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    }
  }

  private evolveMemslots(
    kind: number,
    stage2: Stage2,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    switch (kind) {
      case K.memslotCreated:
        stage2.memslots.push(new Memslot(arg, ipa, wide(oldLo, oldHi), wide(newLo, newHi), (aux & 1) !== 0));
        return;
      case K.memslotDeleted:
        stage2.removeMemslot(arg);
        return;
      case K.operationBegan:
        if (arg === OPERATION.unmapRange) stage2.invalidateSeq += 1;
        return;
      case K.dirtyLogStarted:
      case K.dirtyLogStopped:
        stage2.setLogging(arg, kind === K.dirtyLogStarted, aux);
        return;
      case K.dirtyLogCleared:
        stage2.setDirty(arg, ipa, wide(oldLo, oldHi), false);
        return;
      case K.pageDirtied:
        stage2.setDirty(arg, ipa, this.shape.pageBytes, true);
        return;
      default:
        return;
    }
  }

  private prepareFrom(vmid: number, ipaBits: number, features: number): Stage2 {
    const on = (bit: number) => (features & bit) !== 0;
    const shape = geometry(this.shape.pageShift, ipaBits, on(FEATURE.lpa2), this.indexBits);
    return this.prepare(vmid, shape, { fwb: on(FEATURE.fwb), xnx: on(FEATURE.xnx), asStage1: on(FEATURE.asStage1) });
  }

  private create(vmid: number, root: number, ipaBits: number, rootPages: number, features: number): void {
    const stage2 = this.prepareFrom(vmid, ipaBits, features);
    stage2.root = root;
    stage2.rootPages = rootPages;
  }

  private retire(stage2: Stage2, table: number, level: number): void {
    stage2.retire(table, level);
    this.retiredCount += 1;
  }

  /** Writes the invalidations that each actor has issued and that no DSB has completed. */
  savePending(into: StateWords): void {
    for (let actor = 0; actor < this.actors; actor += 1) {
      const from = actor * PENDING_MAX;
      const to = from + this.pendingCount[actor]!;
      into.put(this.pendingCount[actor]!);
      into.putAll(this.pendingOp, from, to);
      into.putAll(this.pendingVmid, from, to);
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
      words.getAll(this.pendingVmid, from, to);
      words.getAllWide(this.pendingIpa, from, to);
      words.getAllWide(this.pendingBytes, from, to);
    }
  }

  /** Exchanges the invalidations that two actors have issued. */
  swapPending(a: number, b: number): void {
    for (const words of [this.pendingOp, this.pendingVmid, this.pendingIpa, this.pendingBytes]) {
      swapRanges(words, a * PENDING_MAX, b * PENDING_MAX, PENDING_MAX);
    }
    swapRanges(this.pendingCount, a, b, 1);
  }

  private beginReclaim(stage2: Stage2, table: number): void {
    if (stage2.retiredCount === 0 || stage2.retired[stage2.retiredHead] !== table) return;
    stage2.dropRetired();
    this.retiredCount -= 1;
  }

  private issueTlbi(actor: number, vmid: number, op: number, ipa: number, level: number, pages: number): void {
    const n = this.pendingCount[actor]!;
    const last = actor * PENDING_MAX + Math.min(n, PENDING_MAX - 1);
    this.pendingOp[last] = n < PENDING_MAX ? op : TLBI.vmalls12e1is;
    this.pendingVmid[last] = n < PENDING_MAX || this.pendingVmid[last] === vmid ? vmid : EVERY_VMID;
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
    for (let i = actor * PENDING_MAX; i < actor * PENDING_MAX + n; i += 1) {
      const vmid = this.pendingVmid[i]!;
      if (vmid !== EVERY_VMID) this.invalidate(this.stage2(vmid), actor, i);
      else for (const stage2 of this.stage2s) if (stage2 !== undefined) this.invalidate(stage2, actor, i);
    }
  }

  /** Pending invalidation `i` of `actor` takes effect on what is cached of `stage2`. */
  private invalidate(stage2: Stage2, actor: number, i: number): void {
    const { tlb } = stage2;
    const op = this.pendingOp[i]!;
    stage2.invalidationEpoch += 1;
    const local = op === TLBI.ipas2e1 || op === TLBI.vmalle1;
    if (local && actor >= this.vcpus) return;
    const from = local ? actor : 0;
    const to = local ? actor + 1 : this.vcpus;
    if (op === TLBI.vmalls12e1is) tlb.dropAll(from, to);
    else if (op === TLBI.vmalle1is || op === TLBI.vmalle1) tlb.dropCombined(from, to);
    else tlb.dropSteps(from, to, this.pendingIpa[i]!, this.pendingBytes[i]!);
  }
}

/** VMID of the stage-2 a machine begins with: the host's under pKVM, its only guest's under KVM. */
export function firstVmid(config: MachineConfig): number {
  return config.kind === 'pkvm' ? 0 : 1;
}

function evict(tlb: Tlb, actor: number, ipa: number, level: number, walkCache: number): void {
  tlb.changed[actor] = 1;
  if (walkCache !== 0) tlb.walkTag[tlb.walkPlace(actor, ipa, level)] = 0;
  else tlb.tag[tlb.place(actor, ipa, level)] = 0;
}

function wide(lo: number, hi: number): number {
  return (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
}
