import type { Geometry, LeafFeatures } from '@s2lab/arch';
import { geometry, isLocked, isTable, outputAddress } from '@s2lab/arch';
import { FEATURE, K, LOCK } from '@s2lab/events';
import { Actors } from './actors.ts';
import { DirtyLogs } from './dirty-log.ts';
import type { EventCursor, Handler } from './event-cursor.ts';
import { LockedSlots } from './locked-slots.ts';
import { FRAME_LIMIT, Tables } from './tables.ts';
import type { TranslatedWorld } from './tlb.ts';
import { TlbShadow } from './tlb.ts';

/** Bits of what an actor has open besides walks, in `openOperations`. */
export const OPEN = { fault: 1, operation: 2, reclaim: 4 } as const;

/** Most root pages of a stage-2. @source Arm ARM DDI 0487, "Concatenated translation tables" */
const ROOT_PAGES_MAX = 16;

/** One stage-2 as its `stage2-created` told it. */
export interface Stage2Shadow {
  readonly id: number;
  readonly root: number;
  readonly rootPages: number;
  readonly startLevel: number;
  readonly ipaBits: number;
  /** Whether valid leaves hold no reference of their table. */
  readonly uncountedLeaves: boolean;
  /** What its leaves' attributes depend on. */
  readonly leaves: LeafFeatures;
  /** Whether what it maps is cleaned out of the caches before. */
  readonly cleansCaches: boolean;
  destroyed: boolean;
}

/** Kinds of events that may leave their actor with nothing open (`Actors.idle`). */
export const CLOSING: readonly number[] = [K.walkEnded, K.faultHandled, K.guestAborted, K.hostAborted, K.operationEnded, K.reclaimEnded];

/**
 * Shadow of one machine: tables, actors, locked slots and stage-2s, folded from its events. Rules read it, only its `evolvers` change it.
 */
export class World implements TranslatedWorld {
  readonly vcpus: number;
  readonly pageShift: number;
  readonly pageBytes: number;
  readonly tables: Tables;
  readonly actors = new Actors();
  readonly locked = new LockedSlots();
  /** What each vCPU has cached. */
  readonly tlb: TlbShadow;
  readonly dirtyLogs: DirtyLogs;
  readonly stage2s: Stage2Shadow[] = [];
  /** Physical address of table page 0, learned from the first `table-linked`; NaN until then. */
  tableBase = NaN;
  /** Whether readers see what the stores before them left: the machine says so when it starts. */
  readsWhatIsStored = true;
  /** Where the parts of a descriptor are. */
  shape: Geometry;
  /** 1 / pageBytes: a product is as exact as a quotient by a power of two, and much faster than a remainder. */
  private readonly perPage: number;
  private readonly spans: readonly number[];

  /**
   * @param pageShift 12, 14 or 16
   * @param indexBits log2 of the descriptors in a table, 0 for those of the granule
   */
  constructor(vcpus: number, pageShift: number, indexBits: number) {
    this.vcpus = vcpus;
    this.pageShift = pageShift;
    this.pageBytes = 2 ** pageShift;
    this.perPage = 1 / this.pageBytes;
    const bits = indexBits === 0 ? pageShift - 3 : indexBits;
    this.tables = new Tables(1 << bits);
    this.spans = [-1, 0, 1, 2, 3].map((level) => 2 ** (pageShift + bits * (3 - level)));
    // Output addresses depend on the granule and on LPA2 alone, which is known once a stage-2 exists.
    this.shape = geometry(pageShift, 40);
    this.tlb = new TlbShadow(this);
    this.dirtyLogs = new DirtyLogs(this.pageBytes);
  }

  /** Bytes one descriptor at `level` (-1…3) covers. */
  span(level: number): number {
    return this.spans[level + 1] ?? this.pageBytes;
  }

  /** First address of the page that holds `address`. */
  pageDown(address: number): number {
    return Math.floor(address * this.perPage) * this.pageBytes;
  }

  /** First page boundary at or after `address`. */
  pageUp(address: number): number {
    return Math.ceil(address * this.perPage) * this.pageBytes;
  }

  /** Output address of a descriptor, bytes. */
  output(lo: number, hi: number): number {
    return outputAddress(this.shape, lo, hi);
  }

  /** Page frame a table descriptor points to, or -1 while that cannot be known. */
  childFrame(lo: number, hi: number): number {
    const frame = (this.output(lo, hi) - this.tableBase) * this.perPage;
    // The test of the range comes first: it also turns NaN away, and only then do 32 bits hold the number.
    return frame >= 0 && frame < FRAME_LIMIT && (frame | 0) === frame ? frame | 0 : -1;
  }

  /** Input address of `slot` in the table at `place`. */
  slotIpa(place: number, slot: number): number {
    return this.tables.base[place]! + slot * this.span(this.tables.level[place]!);
  }

  /** The live stage-2 with this VMID, or undefined. */
  stage2(id: number): Stage2Shadow | undefined {
    for (let i = this.stage2s.length - 1; i >= 0; i--)
      if (this.stage2s[i]!.id === id && !this.stage2s[i]!.destroyed) return this.stage2s[i];
    return undefined;
  }

  /**
   * Looks up what the event under the cursor is about, once for all rules: for kinds from descriptor-read to reference-read.
   * @returns false for a descriptor event whose slot does not exist or did not hold what the event says
   */
  aim(e: EventCursor): boolean {
    const tables = this.tables;
    const p = tables.place(e.table);
    e.place = p;
    if (e.kind > K.descriptorHardwareUpdated) return true;
    if (p < 0) return false;
    if (e.slot >= tables.entries) {
      e.place = -1;
      return false;
    }
    const words = tables.descriptors[p]!;
    e.wasLo = words[2 * e.slot]!;
    e.wasHi = words[2 * e.slot + 1]!;
    return e.wasLo === e.oldLo && e.wasHi === e.oldHi;
  }

  /** Whether an event that does not hold what its slot does is a reader's, to whom stores become visible late. */
  mayDiffer(e: EventCursor): boolean {
    if (this.readsWhatIsStored || e.place < 0) return false;
    return e.kind === K.descriptorRead || e.kind === K.hardwareDescriptorRead;
  }

  /** How events are folded into this world, by code of their kind. Kinds without one leave every shadow as it is. */
  evolvers(): Readonly<Record<number, Handler>> {
    const { actors, tlb } = this;
    const write: Handler = (e) => this.write(e);
    const allocate: Handler = (e) => this.allocate(e);
    const count: Handler = (e) => this.count(e);
    const enter: Handler = (e) => this.enter(e);
    const leave: Handler = (e) => this.leave(e);
    const endFault: Handler = (e) => this.close(e.actor, OPEN.fault);
    return {
      [K.descriptorRead]: (e) => this.reach(e.actor, e.table, e.oldLo, e.oldHi, e.seq),
      [K.descriptorStored]: write,
      [K.descriptorReleased]: write,
      [K.descriptorSwapped]: write,
      [K.descriptorHardwareUpdated]: write,
      [K.referenceGot]: count,
      [K.referencePut]: count,
      [K.tableAllocated]: allocate,
      [K.tableReused]: allocate,
      [K.tableFreed]: (e) => this.free(e),
      [K.tableLinked]: (e) => this.learn(e),
      [K.tableRetired]: (e) => this.retire(e),
      [K.hardwareDescriptorRead]: (e) => tlb.read(e),
      [K.tlbFilled]: (e) => tlb.fillLeaf(e),
      [K.walkCacheFilled]: (e) => tlb.fillStep(e),
      [K.tlbEvicted]: (e) => tlb.evict(e),
      [K.tlbiIssued]: (e) => tlb.issue(e),
      [K.dsbCompleted]: (e) => tlb.complete(e),
      [K.walkBegan]: (e) => actors.beginWalk(e.actor, e.arg, e.aux, e.ipa, e.bytes, e.pa, e.seq),
      [K.walkEnded]: (e) => actors.endWalk(e.actor),
      [K.faultTaken]: (e) => {
        actors.access[e.actor] = e.aux;
        this.open(e.actor, OPEN.fault);
      },
      [K.faultHandled]: endFault,
      [K.guestAborted]: endFault,
      [K.hostAborted]: endFault,
      [K.operationBegan]: (e) => {
        actors.operation[e.actor] = e.arg;
        this.open(e.actor, OPEN.operation);
      },
      [K.operationEnded]: (e) => this.endOperation(e),
      [K.reclaimBegan]: (e) => this.comeToReclaim(e),
      [K.reclaimEnded]: (e) => this.close(e.actor, OPEN.reclaim),
      [K.readSectionEntered]: enter,
      [K.epochAnnounced]: enter,
      [K.readSectionLeft]: leave,
      [K.epochWithdrawn]: leave,
      [K.lockAcquired]: (e) => this.hold(e, e.aux),
      [K.lockReleased]: (e) => this.hold(e, 0),
      [K.stage2Created]: (e) => this.create(e),
      [K.stage2Destroyed]: (e) => this.destroy(e),
      ...this.memslotEvolvers(),
    };
  }

  /** Events of memslots and their dirty logs. */
  private memslotEvolvers(): Readonly<Record<number, Handler>> {
    const { dirtyLogs } = this;
    return {
      [K.memslotCreated]: (e) => dirtyLogs.create(e.arg, e.ipa, e.bytes, (e.aux & 1) !== 0, (e.aux & 2) !== 0, e.seq),
      [K.memslotDeleted]: (e) => dirtyLogs.delete(e.arg),
      [K.dirtyLogStarted]: (e) => dirtyLogs.start(e.arg, e.aux !== 0, e.seq, this.operates(e.actor) ? e.actor : -1),
      [K.dirtyLogStopped]: (e) => dirtyLogs.stop(e.arg),
      [K.dirtyLogCleared]: (e) => dirtyLogs.clear(e.arg, e.ipa, e.bytes, e.actor, this.operates(e.actor)),
      [K.pageDirtied]: (e) => dirtyLogs.dirty(e.arg, e.ipa),
    };
  }

  private operates(actor: number): boolean {
    return (this.actors.openOperations[actor]! & OPEN.operation) !== 0;
  }

  private open(actor: number, bit: number): void {
    this.actors.openOperations[actor]! |= bit;
  }

  private close(actor: number, bit: number): void {
    this.actors.openOperations[actor]! &= ~bit;
    if (this.actors.openOperations[actor] === 0) this.actors.endAllWalks(actor);
    if (this.actors.idle(actor)) this.actors.forgetPath(actor);
  }

  private endOperation(e: EventCursor): void {
    this.dirtyLogs.settle(e.actor);
    this.close(e.actor, OPEN.operation);
  }

  /** Who reclaims a sub-tree comes to its head by its right to it, not by the link that it may have read long ago. */
  private comeToReclaim(e: EventCursor): void {
    if (e.place >= 0) this.actors.reach(e.actor, this.tables.level[e.place]!, e.table, this.tables.generation[e.table]!, e.seq);
    this.open(e.actor, OPEN.reclaim);
  }

  private hold(e: EventCursor, mode: number): void {
    if (e.arg === LOCK.mmu) this.actors.holdLock(e.actor, e.stage2, mode);
  }

  private enter(e: EventCursor): void {
    if (this.actors.inSection[e.actor] === 0) this.actors.openSections += 1;
    this.actors.inSection[e.actor] = 1;
    this.actors.sectionSince[e.actor] = e.seq;
    this.actors.sectionStage2[e.actor] = e.stage2;
  }

  private leave(e: EventCursor): void {
    if (this.actors.inSection[e.actor] === 1) this.actors.openSections -= 1;
    this.actors.inSection[e.actor] = 0;
  }

  private allocate(e: EventCursor): void {
    if (e.table >= FRAME_LIMIT) return;
    const p = this.tables.allocate(e.table, e.level, e.arg === 1, e.stage2, e.seq);
    if (this.stage2(e.stage2)?.uncountedLeaves === true) this.tables.uncountedLeaves[p] = 1;
  }

  private free(e: EventCursor): void {
    this.tables.free(e.table, e.seq, e.actor);
    this.locked.removeTable(e.table);
  }

  private count(e: EventCursor): void {
    if (e.place >= 0) this.tables.references[e.place] = e.arg | 0;
  }

  private retire(e: EventCursor): void {
    if (e.place >= 0) this.tables.retired[e.place] = 1;
  }

  private create(e: EventCursor): void {
    const rootPages = Math.min(e.arg, ROOT_PAGES_MAX);
    const { aux } = e;
    const has = (feature: number): boolean => (aux & feature) !== 0;
    this.shape = { ...this.shape, lpa2: has(FEATURE.lpa2) };
    const uncountedLeaves = has(FEATURE.uncountedLeaves);
    const { stage2: id, table: root, level: startLevel, slot: ipaBits } = e;
    const leaves = { fwb: has(FEATURE.fwb), xnx: has(FEATURE.xnx), asStage1: has(FEATURE.asStage1) };
    // FWB spares the data cache; a hypervisor’s own map of its host cleans nothing.
    const cleansCaches = has(FEATURE.tellsCaches) || (!leaves.fwb && !has(FEATURE.identity));
    this.stage2s.push({ id, root, rootPages, startLevel, ipaBits, uncountedLeaves, leaves, cleansCaches, destroyed: false });
    for (let i = 0; i < rootPages && e.table + i < FRAME_LIMIT; i++) {
      const p = this.tables.allocate(e.table + i, e.level, true, e.stage2, e.seq);
      this.tables.isRoot[p] = 1;
      this.tables.detached[p] = 0;
      this.tables.everLinked[p] = 1;
      this.tables.level[p] = e.level;
      this.tables.stage2[p] = e.stage2;
      this.tables.uncountedLeaves[p] = uncountedLeaves ? 1 : 0;
      this.tables.base[p] = i * this.span(e.level - 1);
    }
  }

  private destroy(e: EventCursor): void {
    for (let s = this.stage2s.length - 1; s >= 0; s--) {
      const shadow = this.stage2s[s]!;
      if (shadow.root !== e.table || shadow.destroyed) continue;
      shadow.destroyed = true;
      this.stage2s.splice(s, 1);
      for (let i = 0; i < shadow.rootPages; i++) {
        const p = this.tables.place(shadow.root + i);
        if (p < 0) continue;
        this.tables.detached[p] = 1;
        this.tables.unlinkedAt[p] = e.seq;
      }
    }
  }

  /** `actor` found the descriptor in `table`: if it leads to another one, that is how the actor came there. */
  reach(actor: number, table: number, lo: number, hi: number, seq: number): void {
    if ((lo & 3) !== 3) return;
    const p = this.tables.place(table);
    if (p < 0 || !isTable(lo, this.tables.level[p]!)) return;
    const child = this.childFrame(lo, hi);
    if (child >= 0 && this.tables.place(child) >= 0) {
      this.actors.reach(actor, this.tables.level[p]! + 1, child, this.tables.generation[child]!, seq);
    }
  }

  private write(e: EventCursor): void {
    const tables = this.tables;
    const { place: p, wasLo, wasHi } = e;
    if (p < 0) return;
    if (tables.level[p] === -1) tables.learnLevel(p, e.level);
    const level = tables.level[p]!;
    if (wasLo === e.newLo && wasHi === e.newHi) return;
    if ((wasLo | wasHi) !== 0 && isLocked(wasLo, wasHi)) {
      const at = this.locked.find(e.table, e.slot);
      if (at >= 0) this.locked.remove(at);
    }
    if (isTable(wasLo, level)) this.unlinkChild(wasLo, wasHi, p, e.slot, e.seq);
    tables.write(p, e.slot, e.newLo, e.newHi);
    if (isLocked(e.newLo, e.newHi)) this.locked.add(e.table, e.slot, e.actor, e.seq, wasLo, wasHi);
    if (isTable(e.newLo, level)) {
      this.linkChild(e.newLo, e.newHi, p, e.slot, e.seq);
      this.reach(e.actor, e.table, e.newLo, e.newHi, e.seq);
    }
  }

  private unlinkChild(lo: number, hi: number, parent: number, slot: number, seq: number): void {
    const child = this.tables.place(this.childFrame(lo, hi));
    if (child < 0 || this.tables.parentPlace(child) !== parent || this.tables.parentSlot[child] !== slot) return;
    this.tables.unlink(child, seq);
  }

  private linkChild(lo: number, hi: number, parent: number, slot: number, seq: number): void {
    const child = this.tables.place(this.childFrame(lo, hi));
    if (child >= 0) this.tables.link(child, parent, slot, this.span(this.tables.level[parent]!), seq);
  }

  /** The first claim of a link says where table pages lie in physical memory; the stores say the rest. */
  private learn(e: EventCursor): void {
    if (!Number.isNaN(this.tableBase)) return;
    const p = this.tables.place(e.arg);
    if (p < 0 || e.slot >= this.tables.entries) return;
    const words = this.tables.descriptors[p]!;
    const lo = words[2 * e.slot]!;
    const hi = words[2 * e.slot + 1]!;
    if (!isTable(lo, this.tables.level[p]!)) return;
    this.tableBase = this.output(lo, hi) - e.table * this.pageBytes;
    this.linkChild(lo, hi, p, e.slot, e.seq);
    this.reach(e.actor, e.arg, lo, hi, e.seq);
  }
}
