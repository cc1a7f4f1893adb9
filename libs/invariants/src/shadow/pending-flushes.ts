import { DSB, TLBI } from '@s2lab/events';
import { grown } from './tables.ts';

/** How far the invalidation of a broken descriptor has come. */
export const FLUSH = {
  /** Stored; the store may not be visible to hardware walkers yet. */
  stored: 0,
  /** A DSB of the storing actor completed: a TLBI issued now is after the store. */
  visible: 1,
  /** TLBI of stage 2 issued. */
  stage2Issued: 2,
  /** And completed by the DSB of who issued it. */
  stage2Done: 3,
  /** TLBI of the combined (stage 1) entries issued; its DSB ends the flush. */
  stage1Issued: 4,
} as const;

/**
 * Ranges of input addresses whose old translation may still be cached: valid descriptors that were overwritten and whose TLB
 * invalidation is not complete. Neighbours broken one after the other share a record, so that a deferred flush of a large range
 * stays short; a flush of one part splits it.
 * @source Arm ARM DDI 0487, "Using break-before-make when updating translation table entries"; Linux hyp/nvhe/tlb.c __kvm_tlb_flush_vmid_ipa()
 */
export class PendingFlushes {
  count = 0;
  from = new Float64Array(8);
  to = new Float64Array(8);
  /** Bytes of one of the descriptors of the record. */
  span = new Float64Array(8);
  level = new Int8Array(8);
  /** 1: a table with valid descriptors was unlinked, so the whole range must be invalidated. */
  whole = new Uint8Array(8);
  /** 1: it was a table descriptor; a TLBI by address needs an unknown level. */
  table = new Uint8Array(8);
  stage2 = new Uint16Array(8);
  actor = new Uint16Array(8);
  issuer = new Uint16Array(8);
  stage = new Uint8Array(8);
  /** A second actor that flushes all of the range meanwhile, such as one that unlinks the table; and its stage, 0 = none. */
  private otherIssuer = new Uint16Array(8);
  private otherStage = new Uint8Array(8);
  since = new Float64Array(8);
  oldLo = new Int32Array(8);
  oldHi = new Int32Array(8);

  /** A valid descriptor of [from, from+span) was overwritten. */
  add(
    from: number,
    span: number,
    level: number,
    table: boolean,
    whole: boolean,
    stage2: number,
    actor: number,
    seq: number,
    oldLo: number,
    oldHi: number,
  ): void {
    const last = this.count - 1;
    if (
      last >= 0 &&
      !table &&
      this.stage[last] === FLUSH.stored &&
      this.to[last] === from &&
      this.span[last] === span &&
      this.table[last] === 0 &&
      this.actor[last] === actor &&
      this.stage2[last] === stage2
    ) {
      this.to[last] = from + span;
      return;
    }
    const i = this.push();
    this.from[i] = from;
    this.to[i] = from + span;
    this.span[i] = span;
    this.level[i] = level;
    this.table[i] = table ? 1 : 0;
    this.whole[i] = whole ? 1 : 0;
    this.stage2[i] = stage2;
    this.actor[i] = actor;
    this.issuer[i] = 0;
    this.otherStage[i] = 0;
    this.stage[i] = FLUSH.stored;
    this.since[i] = seq;
    this.oldLo[i] = oldLo;
    this.oldHi[i] = oldHi;
  }

  /** First record of `stage2` that overlaps [from, to), or -1. */
  overlapping(stage2: number, from: number, to: number): number {
    for (let i = 0; i < this.count; i++) if (this.stage2[i] === stage2 && this.from[i]! < to && this.to[i]! > from) return i;
    return -1;
  }

  /** A DSB of `actor` completed. */
  barrier(actor: number, domain: number): void {
    if (domain !== DSB.ish && domain !== DSB.ishst) return;
    for (let i = this.count - 1; i >= 0; i--) {
      const stage = this.stage[i]!;
      if (stage === FLUSH.stored) {
        if (this.actor[i] === actor) this.stage[i] = FLUSH.visible;
      } else if (domain === DSB.ish) {
        this.complete(i, actor);
      }
    }
  }

  /** What `actor` has issued for record `i` is complete; whoever is through first ends the flush for both. */
  private complete(i: number, actor: number): void {
    const own = this.issuer[i] === actor;
    const other = this.otherIssuer[i] === actor;
    if ((own && this.stage[i] === FLUSH.stage1Issued) || (other && this.otherStage[i] === FLUSH.stage1Issued)) {
      this.remove(i);
      return;
    }
    if (own && this.stage[i] === FLUSH.stage2Issued) this.stage[i] = FLUSH.stage2Done;
    if (other && this.otherStage[i] === FLUSH.stage2Issued) this.otherStage[i] = FLUSH.stage2Done;
  }

  /** `actor` issued a TLBI; only broadcast ones help, since other cores may hold the translation. */
  invalidate(op: number, actor: number, stage2: number, ipa: number, bytes: number, level: number): void {
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.stage2[i] !== stage2) continue;
      const stage = this.stage[i]!;
      if (op === TLBI.vmalls12e1is) {
        if (stage > FLUSH.visible && this.issuer[i] !== actor) this.issueOther(i, FLUSH.stage1Issued, actor);
        else if (stage >= FLUSH.visible) this.issue(i, FLUSH.stage1Issued, actor);
      } else if (op === TLBI.vmalle1is) {
        if (stage === FLUSH.stage2Done) this.issue(i, FLUSH.stage1Issued, actor);
        else if (this.otherStage[i] === FLUSH.stage2Done) this.issueOther(i, FLUSH.stage1Issued, actor);
      } else if (op === TLBI.ipas2e1is || op === TLBI.ripas2e1is) {
        if (stage === FLUSH.visible) this.invalidateAddresses(i, op === TLBI.ipas2e1is, actor, ipa, bytes, level);
        else if (stage > FLUSH.visible && this.issuer[i] !== actor && this.covers(i, ipa, bytes, level))
          this.issueOther(i, FLUSH.stage2Issued, actor);
      }
    }
  }

  private invalidateAddresses(i: number, one: boolean, actor: number, ipa: number, bytes: number, level: number): void {
    const end = one ? ipa + 1 : ipa + bytes;
    if (ipa >= this.to[i]! || end <= this.from[i]!) return;
    if (level !== -1 && (this.table[i] === 1 || level !== this.level[i])) return;
    if (this.whole[i] === 1) {
      this.invalidatePart(i, actor, ipa, end);
      return;
    }
    // Any address of a descriptor names all of it.
    const span = this.span[i]!;
    const from = this.table[i] === 1 ? this.from[i]! : Math.max(this.from[i]!, ipa - (ipa % span));
    const to = this.table[i] === 1 ? this.to[i]! : Math.min(this.to[i]!, end % span === 0 ? end : end - (end % span) + span);
    this.invalidatePart(i, actor, from, to);
  }

  /** [from, to) of record `i` is invalidated by `actor`; the rest stays as it was, in records of its own. */
  private invalidatePart(i: number, actor: number, from: number, to: number): void {
    if (from > this.from[i]!) {
      const rest = this.copy(i);
      this.to[rest] = from;
      this.from[i] = from;
    }
    if (to < this.to[i]!) {
      const rest = this.copy(i);
      this.from[rest] = to;
      this.to[i] = to;
    }
    this.issue(i, FLUSH.stage2Issued, actor);
  }

  /** Whether a TLBI of [ipa, ipa + bytes) takes in all of record `i`. */
  private covers(i: number, ipa: number, bytes: number, level: number): boolean {
    if (level !== -1 && (this.table[i] === 1 || level !== this.level[i])) return false;
    return ipa <= this.from[i]! && ipa + bytes >= this.to[i]!;
  }

  private issueOther(i: number, stage: number, actor: number): void {
    this.otherStage[i] = stage;
    this.otherIssuer[i] = actor;
  }

  private issue(i: number, stage: number, actor: number): void {
    this.stage[i] = stage;
    this.issuer[i] = actor;
  }

  /** Forgets record `i`. */
  remove(i: number): void {
    const last = this.count - 1;
    if (i !== last) this.assign(i, last);
    this.count = last;
  }

  private copy(i: number): number {
    const to = this.push();
    this.assign(to, i);
    return to;
  }

  private assign(to: number, from: number): void {
    this.from[to] = this.from[from]!;
    this.to[to] = this.to[from]!;
    this.span[to] = this.span[from]!;
    this.level[to] = this.level[from]!;
    this.whole[to] = this.whole[from]!;
    this.table[to] = this.table[from]!;
    this.stage2[to] = this.stage2[from]!;
    this.actor[to] = this.actor[from]!;
    this.issuer[to] = this.issuer[from]!;
    this.otherIssuer[to] = this.otherIssuer[from]!;
    this.otherStage[to] = this.otherStage[from]!;
    this.stage[to] = this.stage[from]!;
    this.since[to] = this.since[from]!;
    this.oldLo[to] = this.oldLo[from]!;
    this.oldHi[to] = this.oldHi[from]!;
  }

  private push(): number {
    if (this.count === this.from.length) this.grow();
    return this.count++;
  }

  private grow(): void {
    const size = 2 * this.from.length;
    this.from = grown(this.from, new Float64Array(size));
    this.to = grown(this.to, new Float64Array(size));
    this.span = grown(this.span, new Float64Array(size));
    this.since = grown(this.since, new Float64Array(size));
    this.level = grown(this.level, new Int8Array(size));
    this.whole = grown(this.whole, new Uint8Array(size));
    this.table = grown(this.table, new Uint8Array(size));
    this.stage = grown(this.stage, new Uint8Array(size));
    this.stage2 = grown(this.stage2, new Uint16Array(size));
    this.actor = grown(this.actor, new Uint16Array(size));
    this.issuer = grown(this.issuer, new Uint16Array(size));
    this.otherIssuer = grown(this.otherIssuer, new Uint16Array(size));
    this.otherStage = grown(this.otherStage, new Uint8Array(size));
    this.oldLo = grown(this.oldLo, new Int32Array(size));
    this.oldHi = grown(this.oldHi, new Int32Array(size));
  }
}
