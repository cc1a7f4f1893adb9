import { isTable, LAST_LEVEL } from '@s2lab/arch';
import { DSB, TLBI } from '@s2lab/events';
import { CachedEntries } from './cached-entries.ts';
import type { EventCursor } from './event-cursor.ts';
import type { Tables } from './tables.ts';
import { grown } from './tables.ts';

/** TLBIs of one actor that wait for their DSB. More are not followed: then too much counts as still allowed, never too little. */
const PENDING_MAX = 64;

/** What the shadow of TLBs asks of the world that it is a part of. */
export interface TranslatedWorld {
  readonly pageBytes: number;
  readonly tables: Tables;
  /** Bytes one descriptor at `level` covers. */
  span(level: number): number;
  /** Page frame a table descriptor points to, or -1 while that cannot be known. */
  childFrame(lo: number, hi: number): number;
}

/** What one vCPU has cached of one stage-2, and where its hardware walker stands. */
export class VcpuTlb {
  /** Combined (stage 1 and 2) translations. */
  readonly leaves = new CachedEntries();
  /** Stage-2 walk steps. */
  readonly steps = new CachedEntries();
  /** The last descriptor its hardware walker loaded: when, from where, the block it is for. */
  readAt = -1;
  readTable = -1;
  readSlot = 0;
  readLevel = -1;
  readBlock = 0;
  /** The table it points to and that table's generation; -1 when it is no table. */
  readNext = -1;
  readGeneration = 0;
  /** DSB after which that descriptor must not be followed, -1 while it may; and the TLBI. */
  readDeadAt = -1;
  readKilledBy = -1;

  /** Whether the descriptor at `level` for `block` is the one just loaded. */
  hasJustRead(level: number, block: number): boolean {
    return this.readLevel === level && this.readBlock === block && this.readNext >= 0;
  }
}

/** TLBIs of one actor between their issue and their DSB. */
export class PendingTlbis {
  count = 0;
  op = new Uint8Array(8);
  stage2 = new Uint16Array(8);
  from = new Float64Array(8);
  last = new Float64Array(8);
  seq = new Float64Array(8);

  /** Makes room for one more. */
  reserve(): void {
    if (this.count < this.op.length) return;
    const size = 2 * this.count;
    this.op = grown(this.op, new Uint8Array(size));
    this.stage2 = grown(this.stage2, new Uint16Array(size));
    this.from = grown(this.from, new Float64Array(size));
    this.last = grown(this.last, new Float64Array(size));
    this.seq = grown(this.seq, new Float64Array(size));
  }
}

/**
 * Shadow of what each vCPU has cached, told by fills, evictions, TLBIs and DSBs alone. It allows whatever the architecture allows: an
 * entry is dead only if its descriptor was loaded before a TLBI that covers it was issued, and the DSB of that TLBI has completed.
 * Combined entries die by stage-1 TLBIs, walk steps by stage-2 TLBIs of their addresses.
 * @source Arm ARM DDI 0487, "TLB maintenance instructions", "Completion of TLB maintenance"; Linux nvhe/tlb.c
 */
export class TlbShadow {
  private readonly world: TranslatedWorld;
  private readonly stage2s: VcpuTlb[][] = [];
  private readonly pending: PendingTlbis[] = [];
  private pendingCount = new Uint8Array(8);
  /** 1 / span of a level: spans are powers of two, so a product is as exact as a quotient, and faster. */
  private readonly inverse: Float64Array;

  constructor(world: TranslatedWorld) {
    this.world = world;
    this.inverse = Float64Array.from([0, 1, 2, 3], (level) => 1 / world.span(level));
  }

  /** What `vcpu` has cached of `stage2`. */
  of(stage2: number, vcpu: number): VcpuTlb {
    const vcpus = (this.stage2s[stage2] ??= []);
    return (vcpus[vcpu] ??= new VcpuTlb());
  }

  /** The block of `level` (0…3) that holds `ipa`, by number. */
  block(ipa: number, level: number): number {
    return Math.floor(ipa * this.inverse[level]!);
  }

  /** A hardware walker loaded a descriptor. */
  read(e: EventCursor): void {
    const tlb = this.of(e.stage2, e.actor);
    const next = e.level >= 0 && e.level < LAST_LEVEL && isTable(e.oldLo, e.level) ? this.world.childFrame(e.oldLo, e.oldHi) : -1;
    tlb.readAt = e.seq;
    tlb.readTable = e.table;
    tlb.readSlot = e.slot;
    tlb.readLevel = e.level;
    tlb.readBlock = next < 0 ? 0 : this.block(e.ipa, e.level);
    tlb.readNext = next;
    tlb.readGeneration = next < 0 ? 0 : this.world.tables.generationOf(next);
    tlb.readDeadAt = -1;
  }

  /** A vCPU cached a leaf. */
  fillLeaf(e: EventCursor): void {
    if (e.level < 0 || e.level > LAST_LEVEL) return;
    const tlb = this.of(e.stage2, e.actor);
    const justRead = tlb.readTable === e.table && tlb.readSlot === e.slot;
    tlb.leaves.put(e.level, this.block(e.ipa, e.level), e.newLo, e.newHi, justRead ? tlb.readAt : e.seq);
  }

  /** A vCPU cached a walk step. */
  fillStep(e: EventCursor): void {
    if (e.level < 0 || e.level >= LAST_LEVEL) return;
    const tlb = this.of(e.stage2, e.actor);
    const block = this.block(e.ipa, e.level);
    const justRead = tlb.hasJustRead(e.level, block);
    const i = tlb.steps.put(e.level, block, e.arg | 0, this.world.tables.generationOf(e.arg), justRead ? tlb.readAt : e.seq);
    // What was loaded before a flush and is cached after it is stale from birth.
    if (justRead && tlb.readDeadAt >= 0) tlb.steps.kill(i, tlb.readKilledBy, tlb.readDeadAt);
  }

  /** A vCPU dropped an entry for want of room. */
  evict(e: EventCursor): void {
    if (e.level < 0 || e.level > LAST_LEVEL) return;
    const tlb = this.of(e.stage2, e.actor);
    const entries = e.aux === 0 ? tlb.leaves : tlb.steps;
    const i = entries.find(e.level, this.block(e.ipa, e.level));
    if (i >= 0) entries.remove(i);
  }

  /** A TLBI was issued: it waits for its DSB. */
  issue(e: EventCursor): void {
    const pending = (this.pending[e.actor] ??= new PendingTlbis());
    const n = pending.count;
    if (n === PENDING_MAX) return;
    pending.reserve();
    const ipa = e.ipa;
    pending.op[n] = e.arg;
    pending.stage2[n] = e.stage2;
    pending.from[n] = ipa;
    pending.last[n] = e.arg === TLBI.ripas2e1is ? ipa + e.aux * this.world.pageBytes - 1 : ipa;
    pending.seq[n] = e.seq;
    pending.count = n + 1;
    if (e.actor >= this.pendingCount.length) this.pendingCount = grown(this.pendingCount, new Uint8Array(2 * (e.actor + 1)));
    this.pendingCount[e.actor] = n + 1;
  }

  /** A DSB of loads and stores completes TLBIs of its actor: all of them, or those of its own core. */
  complete(e: EventCursor): void {
    if (e.actor >= this.pendingCount.length || this.pendingCount[e.actor] === 0) return;
    if (e.arg !== DSB.ish && e.arg !== DSB.nsh) return;
    const pending = this.pending[e.actor]!;
    let left = 0;
    for (let i = 0; i < pending.count; i++) {
      const op = pending.op[i]!;
      const local = op === TLBI.ipas2e1 || op === TLBI.vmalle1;
      if (local || e.arg === DSB.ish) {
        this.invalidate(pending, i, local, e);
        continue;
      }
      pending.op[left] = op;
      pending.stage2[left] = pending.stage2[i]!;
      pending.from[left] = pending.from[i]!;
      pending.last[left] = pending.last[i]!;
      pending.seq[left] = pending.seq[i]!;
      left += 1;
    }
    pending.count = left;
    this.pendingCount[e.actor] = left;
  }

  private invalidate(pending: PendingTlbis, i: number, local: boolean, e: EventCursor): void {
    const vcpus = this.stage2s[pending.stage2[i]!];
    if (vcpus === undefined) return;
    const op = pending.op[i]!;
    const killer = pending.seq[i]!;
    const from = local ? e.actor : 0;
    const to = local ? e.actor + 1 : vcpus.length;
    for (let vcpu = from; vcpu < to; vcpu++) {
      const tlb = vcpus[vcpu];
      if (tlb === undefined) continue;
      if (op !== TLBI.ipas2e1is && op !== TLBI.ipas2e1 && op !== TLBI.ripas2e1is) {
        tlb.leaves.killAll(killer, e.seq);
        if (op !== TLBI.vmalls12e1is) continue;
        tlb.steps.killAll(killer, e.seq);
        this.killRead(tlb, 0, Infinity, killer, e.seq);
      } else {
        this.invalidateSteps(tlb, pending.from[i]!, pending.last[i]!, killer, e.seq);
      }
    }
  }

  private invalidateSteps(tlb: VcpuTlb, from: number, last: number, killer: number, seq: number): void {
    for (let level = 0; level < LAST_LEVEL; level++) {
      tlb.steps.killBlocks(level, this.block(from, level), this.block(last, level), killer, seq);
    }
    this.killRead(tlb, from, last, killer, seq);
  }

  private killRead(tlb: VcpuTlb, from: number, last: number, killer: number, seq: number): void {
    if (tlb.readNext < 0 || tlb.readDeadAt >= 0 || tlb.readAt >= killer) return;
    const span = this.world.span(tlb.readLevel);
    const base = tlb.readBlock * span;
    if (base > last || base + span <= from) return;
    tlb.readDeadAt = seq;
    tlb.readKilledBy = killer;
  }
}
