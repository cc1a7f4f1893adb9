import type { Geometry, LeafFeatures } from '@s2lab/arch';
import type { Lock } from './lock.ts';
import type { Memslot } from './memslots.ts';
import type { Tlb } from './tlb.ts';

/** What a stage-2 is made with. */
export interface Stage2Shape {
  readonly shape: Geometry;
  readonly features: LeafFeatures;
}

/** What belongs to a VMID, whatever stage-2 has it. */
interface Lasting {
  readonly tlb: Tlb;
  readonly lock: Lock;
}

/** Elements of the retired ring for one sub-tree: table, level, grace period. */
export const RETIRED_WORDS = 3;

/**
 * One stage-2 of a machine: what its walkers share. World.stage2s holds it at its VMID. Which policy reclaims its tables the machine
 * knows (Machine.policies); the state of read-side sections, epochs and retired sub-trees is here. Changed by events only.
 */
export class Stage2 {
  readonly vmid: number;
  readonly shape: Geometry;
  readonly features: LeafFeatures;
  /** Whether the memory behind what is mapped or unmapped is cleaned; the host's identity map leaves that to the host. */
  readonly cleansCaches: boolean;
  /** What the vCPUs have cached under its VMID: outlives the stage-2 until it is invalidated. */
  readonly tlb: Tlb;
  /** First root page, -1 once it is destroyed. */
  root = -1;
  /** Concatenated root pages, as its creation says. */
  rootPages = 0;
  /** The lock of its tables (kernel: mmu_lock; at EL2 the spinlock of host or guest). */
  readonly lock: Lock;
  /** Memslots in order of creation: a handful, searched in turn. */
  readonly memslots: Memslot[] = [];
  /** MMU notifier sequence: counts changes that an ongoing fault must notice. @source mmu.c mmu_invalidate_seq */
  invalidateSeq = 0;
  /** Rises when invalidations take effect, and when the stage-2 is destroyed: a hardware walk begun before starts anew. */
  invalidationEpoch = 0;

  readonly inSection: Uint8Array;
  /** Retired sub-trees not yet torn down, a ring: table, level, grace period (or epoch) it must wait for. */
  retired: Int32Array = new Int32Array(RETIRED_WORDS * 4);
  retiredHead = 0;
  retiredCount = 0;
  /** Number of the last grace period begun, or the global epoch: a policy has one of the two. */
  gracePeriod = 0;
  gracePeriodOpen = 0;
  /** 1 for each actor whose section the open grace period waits for. */
  readonly awaited: Uint8Array;
  awaitedCount = 0;

  constructor(vmid: number, { shape, features }: Stage2Shape, actors: number, { tlb, lock }: Lasting) {
    this.vmid = vmid;
    this.shape = shape;
    this.features = features;
    // At EL2 VMID 0 is the host's.
    this.cleansCaches = vmid !== 0;
    this.tlb = tlb;
    this.lock = lock;
    this.inSection = new Uint8Array(actors);
    this.awaited = new Uint8Array(actors);
  }

  /** `actor` left its read-side section. */
  leaveSection(actor: number): void {
    this.inSection[actor] = 0;
    if (this.awaited[actor] === 0) return;
    this.awaited[actor] = 0;
    this.awaitedCount -= 1;
  }

  /** A grace period begins: it waits for the sections open now. */
  beginGracePeriod(number: number): void {
    this.gracePeriod = number;
    this.gracePeriodOpen = 1;
    this.awaitedCount = 0;
    for (let actor = 0; actor < this.awaited.length; actor += 1) {
      this.awaited[actor] = this.inSection[actor]!;
      this.awaitedCount += this.inSection[actor]!;
    }
  }

  /** The sub-tree under `table` waits for the reclaim worker. */
  retire(table: number, level: number): void {
    if (this.retiredCount === this.retired.length / RETIRED_WORDS) this.growRetired();
    const at = (this.retiredHead + RETIRED_WORDS * this.retiredCount) % this.retired.length;
    this.retired[at] = table;
    this.retired[at + 1] = level;
    // A grace period that has begun may not wait for a walker that entered since: only the next one covers this sub-tree.
    this.retired[at + 2] = this.gracePeriod + 1;
    this.retiredCount += 1;
  }

  /** Puts `rename` of each retired table in the place of it. */
  renameRetired(rename: (table: number) => number): void {
    const { retired, retiredHead, retiredCount } = this;
    for (let i = 0; i < retiredCount; i += 1) {
      const at = (retiredHead + RETIRED_WORDS * i) % retired.length;
      retired[at] = rename(retired[at]!);
    }
  }

  /**
   * Grace periods count from 0 again: what is retired waits for one that is as far away as before.
   * @param least what a retired sub-tree waits for that needs to wait no longer
   */
  rebaseGracePeriods(least = 0): void {
    const { retired, retiredHead, retiredCount, gracePeriod } = this;
    if (gracePeriod === 0) return;
    for (let i = 0; i < retiredCount; i += 1) {
      const at = (retiredHead + RETIRED_WORDS * i + 2) % retired.length;
      retired[at] = Math.max(least, retired[at]! - gracePeriod);
    }
    this.gracePeriod = 0;
  }

  private growRetired(): void {
    const bigger = new Int32Array(2 * this.retired.length);
    bigger.set(this.retired.subarray(this.retiredHead));
    bigger.set(this.retired.subarray(0, this.retiredHead), this.retired.length - this.retiredHead);
    this.retired = bigger;
    this.retiredHead = 0;
  }

  /** The oldest retired sub-tree is in the worker's hands. */
  dropRetired(): void {
    this.retiredHead = (this.retiredHead + RETIRED_WORDS) % this.retired.length;
    this.retiredCount -= 1;
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

  /** The memslot with `id` is gone. */
  removeMemslot(id: number): void {
    const i = this.memslots.findIndex((memslot) => memslot.id === id);
    if (i >= 0) this.memslots.splice(i, 1);
    this.invalidateSeq += 1;
  }

  /** Dirty logging of memslot `id` begins or ends. */
  setLogging(id: number, on: boolean, allSet: number): void {
    const memslot = this.memslotById(id);
    if (memslot === undefined) return;
    memslot.logging = on;
    // A fault that chose its mapping before logging began must choose anew: KVM waits for such faults before it write-protects
    // (kvm_swap_active_memslots: synchronize_srcu); here they find the memory map changed.
    if (on) this.invalidateSeq += 1;
    memslot.keepDirty(on ? memslot.bytes / this.shape.pageBytes : 0, allSet !== 0);
  }

  /** Sets or clears the dirty bits of [ipa, ipa + bytes). */
  setDirty(id: number, ipa: number, bytes: number, dirty: boolean): void {
    const memslot = this.memslotById(id);
    if (memslot === undefined) return;
    const first = Math.floor((ipa - memslot.ipa) / this.shape.pageBytes);
    memslot.setDirty(first, first + bytes / this.shape.pageBytes, dirty);
  }
}
