import type { StateWords } from './state-words.ts';

/** VMID of a pending invalidation that concerns every stage-2. */
export const EVERY_VMID = 0xffff;

/** TLBIs that one actor may have outstanding before they count as one of everything. */
const PENDING_MAX = 16;

/** Elements of `names` for one invalidation: actor, TLBI, VMID. */
const NAMES = 3;

/** What invalidations take effect on. */
export interface Invalidated {
  /** TLBI `op` of `actor` on [ipa, ipa + bytes) under `vmid`, which may be EVERY_VMID. */
  invalidate(actor: number, op: number, vmid: number, ipa: number, bytes: number): void;
}

/**
 * TLBIs that were issued and whose DSB is still to come, of all actors, in order of issue: mostly none or a handful, so that they are
 * searched in turn.
 */
export class PendingInvalidations {
  /** How many of each actor. */
  readonly counts: Uint8Array;
  private length = 0;
  private names: Uint16Array = new Uint16Array(NAMES * 4);
  /** First address and bytes. */
  private ranges: Float64Array = new Float64Array(2 * 4);

  constructor(actors: number) {
    this.counts = new Uint8Array(actors);
  }

  /**
   * One more of `actor`: TLBI `op` of [ipa, ipa + bytes) under `vmid`.
   * @param everything what the last one becomes when there are PENDING_MAX of the actor already
   */
  issue(actor: number, op: number, vmid: number, ipa: number, bytes: number, everything: number): void {
    if (this.counts[actor] === PENDING_MAX) {
      const last = this.lastOf(actor);
      this.put(last, actor, everything, this.names[NAMES * last + 2] === vmid ? vmid : EVERY_VMID, ipa, bytes);
      return;
    }
    this.counts[actor]! += 1;
    this.push(actor, op, vmid, ipa, bytes);
  }

  /** Lets the invalidations of `actor` take effect on `target`, oldest first; none of them is left. */
  complete(actor: number, target: Invalidated): void {
    const { names, ranges, length } = this;
    this.counts[actor] = 0;
    this.length = 0;
    for (let i = 0; i < length; i += 1) {
      const by = names[NAMES * i]!;
      const op = names[NAMES * i + 1]!;
      const vmid = names[NAMES * i + 2]!;
      if (by === actor) target.invalidate(actor, op, vmid, ranges[2 * i]!, ranges[2 * i + 1]!);
      else this.push(by, op, vmid, ranges[2 * i]!, ranges[2 * i + 1]!);
    }
  }

  /** Exchanges those of two actors. */
  swap(a: number, b: number): void {
    if (this.counts[a] === 0 && this.counts[b] === 0) return;
    for (let i = 0; i < NAMES * this.length; i += NAMES) {
      const actor = this.names[i]!;
      if (actor === a || actor === b) this.names[i] = actor === a ? b : a;
    }
    const count = this.counts[a]!;
    this.counts[a] = this.counts[b]!;
    this.counts[b] = count;
  }

  /** Writes them actor by actor. */
  save(into: StateWords): void {
    for (let actor = 0; actor < this.counts.length; actor += 1) {
      into.put(this.counts[actor]!);
      if (this.counts[actor] === 0) continue;
      for (let i = 0; i < this.length; i += 1) {
        if (this.names[NAMES * i] !== actor) continue;
        into.put(this.names[NAMES * i + 1]!);
        into.put(this.names[NAMES * i + 2]!);
        into.putWide(this.ranges[2 * i]!);
        into.putWide(this.ranges[2 * i + 1]!);
      }
    }
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    this.length = 0;
    for (let actor = 0; actor < this.counts.length; actor += 1) {
      this.counts[actor] = from.get();
      for (let left = this.counts[actor]; left > 0; left -= 1) this.push(actor, from.get(), from.get(), from.getWide(), from.getWide());
    }
  }

  private lastOf(actor: number): number {
    let last = this.length - 1;
    while (this.names[NAMES * last] !== actor) last -= 1;
    return last;
  }

  private push(actor: number, op: number, vmid: number, ipa: number, bytes: number): void {
    if (2 * this.length === this.ranges.length) this.grow();
    this.put(this.length, actor, op, vmid, ipa, bytes);
    this.length += 1;
  }

  private put(i: number, actor: number, op: number, vmid: number, ipa: number, bytes: number): void {
    this.names[NAMES * i] = actor;
    this.names[NAMES * i + 1] = op;
    this.names[NAMES * i + 2] = vmid;
    this.ranges[2 * i] = ipa;
    this.ranges[2 * i + 1] = bytes;
  }

  private grow(): void {
    const names = new Uint16Array(2 * this.names.length);
    names.set(this.names);
    this.names = names;
    const ranges = new Float64Array(2 * this.ranges.length);
    ranges.set(this.ranges);
    this.ranges = ranges;
  }
}
