import type { Geometry, LeafFeatures } from '@s2lab/arch';
import { alignDown, geometry, spanBytes } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';
import { COMPONENT, DSB, FEATURE, K, LOCK, OPERATION, TLBI, wide } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import { HypMemory } from './hyp-memory.ts';
import { kindFlags } from './kind-flags.ts';
import { Lock } from './lock.ts';
import { Memslot } from './memslots.ts';
import { EVERY_VMID, PendingInvalidations } from './pending-invalidations.ts';
import { Stage2 } from './stage2.ts';
import { TablePages } from './table-pages.ts';
import { Tlb } from './tlb.ts';

/** 1 for frequent kinds that change nothing shared: they are not looked for among those that do. */
const CHANGES_NOTHING = kindFlags(
  K.walkBegan,
  K.walkEnded,
  K.faultTaken,
  K.faultHandled,
  K.operationEnded,
  K.mappingSizeChosen,
  K.descriptorRead,
  K.descriptorSwapFailed,
  K.tableLinked,
  K.tableUnlinked,
  K.referenceRead,
  K.isbCompleted,
  K.dcacheCleaned,
  K.icacheInvalidated,
  K.guestAccessed,
  K.hardwareDescriptorRead,
);

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
  /** Locks that belong to no stage-2, LOCK.hyp first; none before somebody asks for it: only hypervisors have them. */
  readonly locks: (Lock | undefined)[] = [undefined, undefined];
  /** Retired sub-trees of all stage-2s. */
  retiredCount = 0;

  /** log2 of the descriptors in a table, 0 for those of the granule. */
  readonly indexBits: number;
  private readonly tlbEntries: number;
  private readonly walkCacheEntries: number;
  /** TLBIs whose DSB is still to come. */
  readonly pending: PendingInvalidations;

  constructor(config: MachineConfig) {
    this.indexBits = config.indexBits;
    this.shape = geometry(config.pageShift, config.ipaBits, config.lpa2, config.indexBits);
    this.vcpus = config.vcpus;
    this.actors = config.vcpus + 2;
    this.tlbEntries = config.tlbEntries;
    this.walkCacheEntries = config.walkCacheEntries;
    this.pages = new TablePages(this.shape, config.reuseFrames);
    this.memory = new HypMemory(this.shape.pageBytes);
    this.pending = new PendingInvalidations(this.actors);
    this.prepare(firstVmid(config), this.shape, { fwb: config.fwb, xnx: config.xnx, asStage1: config.asStage1 });
  }

  /** A lock by its LOCK code; that of a stage-2 by its VMID. */
  lockOf(vmid: number, lock: number): Lock {
    return lock === LOCK.mmu ? this.stage2(vmid).lock : (this.locks[lock - 1] ??= new Lock(this.actors));
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

  /** Applies event `i` of `rows`; kinds that change nothing shared fall through. */
  evolve(rows: EventRows, i: number): void {
    const kind = rows.kind[i]!;
    if (CHANGES_NOTHING[kind] !== 0) return;
    switch (kind) {
      case K.descriptorStored:
      case K.descriptorReleased:
      case K.descriptorSwapped:
      case K.descriptorHardwareUpdated:
        this.pages.write(rows.table[i]!, rows.slot[i]!, rows.new[2 * i]!, rows.new[2 * i + 1]!);
        return;
      case K.referenceGot:
      case K.referencePut:
        this.pages.count(rows.table[i]!, rows.arg[i]!);
        return;
      case K.tlbFilled:
        this.stage2(rows.stage2[i]!).tlb.fill(rows.actor[i]!, wide(rows.ipa, i), rows.level[i]!, rows.new[2 * i]!, rows.new[2 * i + 1]!);
        return;
      case K.walkCacheFilled:
        this.stage2(rows.stage2[i]!).tlb.fillStep(rows.actor[i]!, wide(rows.ipa, i), rows.level[i]!, rows.arg[i]!);
        return;
      case K.tlbEvicted:
        evict(this.stage2(rows.stage2[i]!).tlb, rows.actor[i]!, wide(rows.ipa, i), rows.level[i]!, rows.aux[i]!);
        return;
      case K.lockAcquired:
        this.lockOf(rows.stage2[i]!, rows.arg[i]!).take(rows.actor[i]!, rows.aux[i]!);
        return;
      case K.lockReleased:
        this.lockOf(rows.stage2[i]!, rows.arg[i]!).release(rows.aux[i]!);
        return;
      case K.lockContended:
        this.lockOf(rows.stage2[i]!, rows.arg[i]!).wait(rows.actor[i]!, rows.aux[i]!);
        return;
      case K.readSectionEntered:
        this.stage2(rows.stage2[i]!).inSection[rows.actor[i]!] = 1;
        return;
      case K.readSectionLeft:
        this.stage2(rows.stage2[i]!).leaveSection(rows.actor[i]!);
        return;
      case K.tlbiIssued:
        this.issueTlbi(rows, i);
        return;
      case K.dsbCompleted:
        this.completeTlbis(rows.actor[i]!, rows.arg[i]!);
        return;
      case K.walkerReferenceGot:
      case K.walkerReferencePut:
        this.pages.hold(rows.table[i]!, rows.arg[i]!);
        return;
      case K.tableAllocated:
      case K.tableReused:
        this.pages.allocate(rows.table[i]!, rows.level[i]!);
        return;
      case K.tableFreed:
        this.pages.free(rows.table[i]!);
        return;
      default:
        this.evolveRare(rows, i);
    }
  }

  private evolveRare(rows: EventRows, i: number): void {
    const vmid = rows.stage2[i]!;
    const arg = rows.arg[i]!;
    const aux = rows.aux[i]!;
    switch (rows.kind[i]!) {
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
        if (arg === 0) this.retire(this.stage2(vmid), rows.table[i]!, rows.level[i]!);
        return;
      case K.reclaimBegan:
        this.beginReclaim(this.stage2(vmid), rows.table[i]!);
        return;
      case K.stage2Created:
        this.create(vmid, rows.table[i]!, rows.slot[i]!, arg, aux);
        return;
      case K.stage2Destroyed:
        this.stage2(vmid).root = -1;
        this.stage2(vmid).invalidationEpoch += 1;
        return;
      case K.guestCreated:
        this.prepareFrom(vmid, rows.slot[i]!, aux);
        return;
      case K.memoryRegionAdded:
        this.memory.add(wide(rows.new, i), wide(rows.old, i), aux !== 0);
        return;
      case K.pageStateChanged: {
        const states = arg === COMPONENT.host ? this.memory.hostStates : this.memory.hypStates;
        this.memory.setStates(states, wide(rows.new, i), wide(rows.old, i), aux);
        return;
      }
      case K.pageShared:
      case K.pageUnshared: {
        const toGuest = arg === COMPONENT.host && aux === COMPONENT.guest;
        if (toGuest) this.memory.changeGuestShares(wide(rows.new, i), wide(rows.old, i), rows.kind[i] === K.pageShared ? 1 : -1);
        return;
      }
      default:
        this.evolveMemslots(rows, i);
    }
  }

  private evolveMemslots(rows: EventRows, i: number): void {
    const stage2 = this.stage2(rows.stage2[i]!);
    const kind = rows.kind[i]!;
    const arg = rows.arg[i]!;
    const ipa = wide(rows.ipa, i);
    switch (kind) {
      case K.memslotCreated:
        stage2.memslots.push(new Memslot(arg, ipa, wide(rows.old, i), wide(rows.new, i), (rows.aux[i]! & 1) !== 0));
        return;
      case K.memslotDeleted:
        stage2.removeMemslot(arg);
        return;
      case K.operationBegan:
        if (arg === OPERATION.unmapRange) stage2.invalidateSeq += 1;
        return;
      case K.dirtyLogStarted:
      case K.dirtyLogStopped:
        stage2.setLogging(arg, kind === K.dirtyLogStarted, rows.aux[i]!);
        return;
      case K.dirtyLogCleared:
        stage2.setDirty(arg, ipa, wide(rows.old, i), false);
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

  private beginReclaim(stage2: Stage2, table: number): void {
    if (stage2.retiredCount === 0 || stage2.retired[stage2.retiredHead] !== table) return;
    stage2.dropRetired();
    this.retiredCount -= 1;
  }

  private issueTlbi(rows: EventRows, row: number): void {
    const actor = rows.actor[row]!;
    const vmid = rows.stage2[row]!;
    const op = rows.arg[row]!;
    const ipa = wide(rows.ipa, row);
    const level = rows.level[row]!;
    const pages = rows.aux[row]!;
    // Without a level hint the invalidation may take out the largest block around the address.
    const bytes = op === TLBI.ripas2e1is ? pages * this.shape.pageBytes : level >= 0 ? spanBytes(this.shape, level) : this.shape.pageBytes;
    this.pending.issue(actor, op, vmid, op === TLBI.ripas2e1is ? ipa : alignDown(ipa, bytes), bytes, TLBI.vmalls12e1is);
  }

  private completeTlbis(actor: number, domain: number): void {
    if (this.pending.counts[actor] === 0 || domain === DSB.ishst || domain === DSB.nshst) return;
    this.pending.complete(actor, this);
  }

  /** A completed invalidation takes effect on what is cached; only a DSB brings it about. */
  invalidate(actor: number, op: number, vmid: number, ipa: number, bytes: number): void {
    if (vmid !== EVERY_VMID) this.invalidateStage2(this.stage2(vmid), actor, op, ipa, bytes);
    else for (const stage2 of this.stage2s) if (stage2 !== undefined) this.invalidateStage2(stage2, actor, op, ipa, bytes);
  }

  private invalidateStage2(stage2: Stage2, actor: number, op: number, ipa: number, bytes: number): void {
    const { tlb } = stage2;
    stage2.invalidationEpoch += 1;
    const local = op === TLBI.ipas2e1 || op === TLBI.vmalle1;
    if (local && actor >= this.vcpus) return;
    const from = local ? actor : 0;
    const to = local ? actor + 1 : this.vcpus;
    if (op === TLBI.vmalls12e1is) tlb.dropAll(from, to);
    else if (op === TLBI.vmalle1is || op === TLBI.vmalle1) tlb.dropCombined(from, to);
    else tlb.dropSteps(from, to, ipa, bytes);
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
