import type { Geometry } from '@s2lab/arch';
import { LAST_LEVEL } from '@s2lab/arch';

/**
 * What the hardware of one machine has cached under one VMID: per vCPU a direct-mapped TLB of combined (stage 1 and 2) leaf entries and a
 * direct-mapped cache of stage-2 walk steps. A combined entry goes with a stage-1 invalidation of the VMID, a walk-cache entry
 * with a stage-2 invalidation of its IPA: that is why the kernel issues both. Entries of different VMIDs never meet, so each stage-2 has
 * a set of its own: what one guest caches takes no room from another, which leaves more stale entries to find, not fewer.
 * @source Arm ARM DDI 0487 D8.17 (TLB maintenance: entries from a combined translation); Linux nvhe/tlb.c
 */
export class Tlb {
  private readonly shape: Geometry;
  readonly entries: number;
  readonly walkEntries: number;
  /** Page number of the entry's base, +1; 0 = empty. Entry e of vCPU v is element v * entries + e. */
  readonly tag: Float64Array;
  readonly level: Int8Array;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly walkTag: Float64Array;
  readonly walkLevel: Int8Array;
  readonly walkNext: Int32Array;
  /** 1 for each vCPU whose entries changed since somebody who keeps copies last cleared it. */
  readonly changed: Uint8Array;

  constructor(shape: Geometry, vcpus: number, entries: number, walkEntries: number) {
    this.shape = shape;
    this.entries = entries;
    this.walkEntries = walkEntries;
    // One piece of memory for all: each typed array with memory of its own costs some hundred bytes more.
    const all = vcpus * entries;
    const steps = vcpus * walkEntries;
    const memory = new ArrayBuffer(17 * all + 13 * steps + vcpus);
    let at = 0;
    const next = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    this.tag = new Float64Array(memory, next(8 * all), all);
    this.walkTag = new Float64Array(memory, next(8 * steps), steps);
    this.lo = new Int32Array(memory, next(4 * all), all);
    this.hi = new Int32Array(memory, next(4 * all), all);
    this.walkNext = new Int32Array(memory, next(4 * steps), steps);
    this.level = new Int8Array(memory, next(all), all);
    this.walkLevel = new Int8Array(memory, next(steps), steps);
    this.changed = new Uint8Array(memory, next(vcpus), vcpus);
  }

  /** Base of the block or page of `level` that holds `ipa`, as a number of such blocks. */
  private blockOf(ipa: number, level: number): number {
    return Math.floor(ipa / this.shape.spans[level]!);
  }

  /** Where the leaf of `level` for `ipa` would be cached on `vcpu`. */
  place(vcpu: number, ipa: number, level: number): number {
    return vcpu * this.entries + ((this.blockOf(ipa, level) * 4 + level) & (this.entries - 1));
  }

  /** Entry that translates `ipa` on `vcpu`, or -1. */
  find(vcpu: number, ipa: number): number {
    for (let level = LAST_LEVEL; level >= this.shape.minBlockLevel; level -= 1) {
      const e = this.place(vcpu, ipa, level);
      if (this.level[e] === level && this.tag[e] === this.blockOf(ipa, level) + 1) return e;
    }
    return -1;
  }

  /** Puts a leaf into its place, over whatever was there. */
  fill(vcpu: number, ipa: number, level: number, lo: number, hi: number): void {
    const e = this.place(vcpu, ipa, level);
    this.tag[e] = this.blockOf(ipa, level) + 1;
    this.level[e] = level;
    this.lo[e] = lo;
    this.hi[e] = hi;
    this.changed[vcpu] = 1;
  }

  /** First address entry `e` translates. */
  baseOf(e: number): number {
    return (this.tag[e]! - 1) * this.shape.spans[this.level[e]!]!;
  }

  /** Whether entry `e` translates `ipa`. */
  covers(e: number, ipa: number): boolean {
    return this.tag[e] === this.blockOf(ipa, this.level[e]!) + 1;
  }

  /** Where the step at `level` for `ipa` would be cached on `vcpu`. */
  walkPlace(vcpu: number, ipa: number, level: number): number {
    return vcpu * this.walkEntries + ((this.blockOf(ipa, level) * 4 + level) & (this.walkEntries - 1));
  }

  /** Deepest cached step for `ipa` on `vcpu`, or -1. */
  findStep(vcpu: number, ipa: number): number {
    for (let level = LAST_LEVEL - 1; level >= this.shape.startLevel; level -= 1) {
      const e = this.walkPlace(vcpu, ipa, level);
      if (this.walkLevel[e] === level && this.walkTag[e] === this.blockOf(ipa, level) + 1) return e;
    }
    return -1;
  }

  /** Remembers that table `next` translates the block of `level` around `ipa`. */
  fillStep(vcpu: number, ipa: number, level: number, next: number): void {
    const e = this.walkPlace(vcpu, ipa, level);
    this.walkTag[e] = this.blockOf(ipa, level) + 1;
    this.walkLevel[e] = level;
    this.walkNext[e] = next;
    this.changed[vcpu] = 1;
  }

  /** First address walk-cache entry `e` is for. */
  stepBaseOf(e: number): number {
    return (this.walkTag[e]! - 1) * this.shape.spans[this.walkLevel[e]!]!;
  }

  /** Exchanges what two vCPUs have cached. */
  swap(a: number, b: number): void {
    for (const words of [this.tag, this.level, this.lo, this.hi]) swapRanges(words, a * this.entries, b * this.entries, this.entries);
    const steps = [this.walkTag, this.walkLevel, this.walkNext];
    for (const words of steps) swapRanges(words, a * this.walkEntries, b * this.walkEntries, this.walkEntries);
    this.changed[a] = 1;
    this.changed[b] = 1;
  }

  /** Drops combined entries of vCPUs [from, to). */
  dropCombined(from: number, to: number): void {
    this.tag.fill(0, from * this.entries, to * this.entries);
    this.changed.fill(1, from, to);
  }

  /** Drops walk-cache entries of vCPUs [from, to) that overlap [ipa, ipa + bytes). */
  dropSteps(from: number, to: number, ipa: number, bytes: number): void {
    for (let e = from * this.walkEntries; e < to * this.walkEntries; e += 1) {
      if (this.walkTag[e] === 0) continue;
      const base = this.stepBaseOf(e);
      if (base < ipa + bytes && base + this.shape.spans[this.walkLevel[e]!]! > ipa) this.walkTag[e] = 0;
    }
    this.changed.fill(1, from, to);
  }

  /** Drops everything of vCPUs [from, to). */
  dropAll(from: number, to: number): void {
    this.dropCombined(from, to);
    this.walkTag.fill(0, from * this.walkEntries, to * this.walkEntries);
  }
}

/** Exchanges `count` elements from `a` on with those from `b` on. */
export function swapRanges(words: { [i: number]: number }, a: number, b: number, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const word = words[a + i]!;
    words[a + i] = words[b + i]!;
    words[b + i] = word;
  }
}
