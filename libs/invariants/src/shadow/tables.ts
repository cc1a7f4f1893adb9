import { isLocked, isTable, isValid } from '@s2lab/arch';

/** What a page frame is, as far as the events said. */
export const TABLE_STATE = { unknown: 0, live: 1, freed: 2 } as const;

/** Highest page-frame index the shadow accepts, so that a hostile log cannot exhaust memory. */
export const FRAME_LIMIT = 2 ** 24;

const NONE = -1;
/** Tables above or below one another, at most: levels -1 (LPA2) to 3. */
const DEPTH_MAX = 5;

/**
 * Shadow of every table page, folded from events alone.
 *
 * Two index spaces keep memory proportional to live tables: a *frame* is the number the events use (state, generation and the
 * sequence number of its last free are kept per frame), a *place* is a slot in the arrays of live tables. A place and its
 * descriptor array are recycled when the table is freed.
 */
export class Tables {
  readonly entries: number;
  // Per frame.
  private places = new Int32Array(0);
  state = new Uint8Array(0);
  generation = new Uint32Array(0);
  freedAt = new Float64Array(0);
  freedBy = new Uint16Array(0);
  // Per place.
  descriptors: Int32Array[] = [];
  frameOf = new Int32Array(0);
  level = new Int8Array(0);
  isRoot = new Uint8Array(0);
  detached = new Uint8Array(0);
  retired = new Uint8Array(0);
  linked = new Uint8Array(0);
  everLinked = new Uint8Array(0);
  parentFrame = new Int32Array(0);
  parentGeneration = new Uint32Array(0);
  parentSlot = new Uint16Array(0);
  references = new Int32Array(0);
  /** Valid descriptors in the table. */
  valid = new Uint16Array(0);
  /** Descriptors that hold a reference of the table. */
  counted = new Uint16Array(0);
  /** 1: valid leaves hold no reference of the table. */
  uncountedLeaves = new Uint8Array(0);
  /** Live tables linked from the table. */
  children = new Uint16Array(0);
  stage2 = new Uint16Array(0);
  base = new Float64Array(0);
  allocatedAt = new Float64Array(0);
  linkedAt = new Float64Array(0);
  unlinkedAt = new Float64Array(0);
  /** Another number whenever a table comes or goes, hangs elsewhere, or its level becomes known. */
  changes = 0;
  private placeCount = 0;
  private readonly freePlaces: number[] = [];
  live = 0;

  /** @param entries descriptors in a table: 512, 2048 or 8192 */
  constructor(entries: number) {
    this.entries = entries;
  }

  /** Place of the live table on `frame`, or -1. */
  place(frame: number): number {
    return frame >= 0 && frame < this.places.length ? this.places[frame]! : NONE;
  }

  /** State of `frame`, a TABLE_STATE. */
  stateOf(frame: number): number {
    return frame < this.state.length ? this.state[frame]! : TABLE_STATE.unknown;
  }

  /** How often `frame` was made a table. */
  generationOf(frame: number): number {
    return frame >= 0 && frame < this.generation.length ? this.generation[frame]! : 0;
  }

  /** Upper bound of places in use: iterate `0…placeLimit-1` and skip those whose `frameOf` is -1. */
  get placeLimit(): number {
    return this.placeCount;
  }

  /** Makes `frame` a live, empty, unlinked table with one reference and returns its place. A live one is kept as it is. */
  allocate(frame: number, level: number, root: boolean, stage2: number, seq: number): number {
    this.growFrames(frame);
    const had = this.places[frame]!;
    if (had !== NONE) return had;
    const p = this.takePlace();
    this.change();
    this.places[frame] = p;
    this.state[frame] = TABLE_STATE.live;
    this.generation[frame]! += 1;
    this.frameOf[p] = frame;
    this.level[p] = level;
    this.isRoot[p] = root ? 1 : 0;
    this.detached[p] = 0;
    this.retired[p] = 0;
    this.linked[p] = 0;
    this.everLinked[p] = 0;
    this.parentFrame[p] = NONE;
    this.references[p] = 1;
    this.valid[p] = 0;
    this.counted[p] = 0;
    this.uncountedLeaves[p] = 0;
    this.children[p] = 0;
    this.stage2[p] = stage2;
    this.base[p] = 0;
    this.allocatedAt[p] = seq;
    this.linkedAt[p] = NONE;
    this.unlinkedAt[p] = NONE;
    this.live += 1;
    return p;
  }

  /** The table on `frame` is gone; its place is recycled. */
  free(frame: number, seq: number, actor: number): void {
    const p = this.place(frame);
    if (p === NONE) return;
    if (this.linked[p] === 1) {
      const parent = this.parentPlace(p);
      if (parent !== NONE) this.children[parent]! -= 1;
    }
    this.change();
    this.places[frame] = NONE;
    this.state[frame] = TABLE_STATE.freed;
    this.freedAt[frame] = seq;
    this.freedBy[frame] = actor;
    this.frameOf[p] = NONE;
    this.freePlaces.push(p);
    this.live -= 1;
  }

  /** Place of the table whose slot links `p`, or -1 when it was freed since or `p` was never linked. */
  parentPlace(p: number): number {
    const frame = this.parentFrame[p]!;
    if (frame === NONE) return NONE;
    const parent = this.places[frame]!;
    return parent !== NONE && this.generation[frame] === this.parentGeneration[p] ? parent : NONE;
  }

  /** Whether a walk from a root of a stage-2 that was not detached can come to `p`. */
  reachable(p: number): boolean {
    return this.top(p) < 0;
  }

  /**
   * Topmost table above `p` (`p` itself included) that no live table links: the head of an unlinked sub-tree or a detached root.
   * -1 when `p` is reachable from a live root.
   */
  top(p: number): number {
    let at = p;
    for (let hops = 0; hops <= DEPTH_MAX; hops++) {
      if (this.isRoot[at] === 1) return this.detached[at] === 1 ? at : NONE;
      if (this.linked[at] === 0) return at;
      const parent = this.parentPlace(at);
      if (parent === NONE) return at;
      at = parent;
    }
    return at;
  }

  /** Hangs the table at place `child` below `slot` of the table at place `parent`. */
  link(child: number, parent: number, slot: number, spanBytes: number, seq: number): void {
    if (this.linked[child] === 1) this.unlink(child, seq);
    this.change();
    this.linked[child] = 1;
    this.everLinked[child] = 1;
    this.parentFrame[child] = this.frameOf[parent]!;
    this.parentGeneration[child] = this.generation[this.frameOf[parent]!]!;
    this.parentSlot[child] = slot;
    this.stage2[child] = this.stage2[parent]!;
    if (this.level[child] === -1) this.level[child] = this.level[parent]! + 1;
    this.linkedAt[child] = seq;
    this.unlinkedAt[child] = NONE;
    this.children[parent]! += 1;
    this.rebase(child, this.base[parent]! + slot * spanBytes, spanBytes / this.entries, 0);
  }

  /** The slot that linked `child` holds something else now. A table of an unlinked sub-tree keeps the moment its head was unlinked. */
  unlink(child: number, seq: number): void {
    if (this.linked[child] === 0) return;
    const parent = this.parentPlace(child);
    const head = parent === NONE ? NONE : this.top(parent);
    this.change();
    this.linked[child] = 0;
    this.unlinkedAt[child] = head !== NONE && this.unlinkedAt[head]! >= 0 ? this.unlinkedAt[head]! : seq;
    if (parent !== NONE) this.children[parent]! -= 1;
  }

  private change(): void {
    this.changes = (this.changes + 1) & 0x7fff_ffff;
  }

  /** The level of the table at place `p` was not known until now. */
  learnLevel(p: number, level: number): void {
    this.change();
    this.level[p] = level;
  }

  /** Writes a descriptor and keeps the counts. The caller links and unlinks. */
  write(p: number, slot: number, lo: number, hi: number): void {
    const words = this.descriptors[p]!;
    const j = 2 * slot;
    const wasLo = words[j]!;
    const wasHi = words[j + 1]!;
    words[j] = lo;
    words[j + 1] = hi;
    this.valid[p]! += (lo & 1) - (wasLo & 1);
    this.counted[p]! += (this.isCounted(p, lo, hi) ? 1 : 0) - (this.isCounted(p, wasLo, wasHi) ? 1 : 0);
  }

  /**
   * Whether a descriptor of the table at place `p` holds a reference of it: not empty, not locked, and no leaf where leaves hold none.
   * @source Linux stage2_pte_is_counted(); android14-6.1 host_stage2_pte_is_counted()
   */
  isCounted(p: number, lo: number, hi: number): boolean {
    if ((lo | hi) === 0 || isLocked(lo, hi)) return false;
    return this.uncountedLeaves[p] === 0 || !isLeaf(lo, this.level[p]!);
  }

  /** Input address and span of a sub-tree that was built before it was linked follow from where it hangs. */
  private rebase(p: number, base: number, spanBytes: number, depth: number): void {
    this.base[p] = base;
    // A log may claim that a table hangs below itself; real trees are not deeper than this.
    if (this.children[p] === 0 || depth === DEPTH_MAX) return;
    for (let at = 0; at < this.placeCount; at++) {
      if (this.frameOf[at] !== NONE && this.linked[at] === 1 && this.parentPlace(at) === p) {
        this.level[at] = this.level[p]! + 1;
        this.stage2[at] = this.stage2[p]!;
        this.rebase(at, base + this.parentSlot[at]! * spanBytes, spanBytes / this.entries, depth + 1);
      }
    }
  }

  private takePlace(): number {
    const reused = this.freePlaces.pop();
    if (reused !== undefined) {
      this.descriptors[reused]!.fill(0);
      return reused;
    }
    const p = this.placeCount;
    if (p === this.frameOf.length) this.growPlaces(Math.max(8, 2 * p));
    this.descriptors.push(new Int32Array(2 * this.entries));
    this.placeCount += 1;
    return p;
  }

  private growFrames(frame: number): void {
    const had = this.places.length;
    if (frame < had) return;
    const size = Math.max(16, 2 * had, frame + 1);
    const places = new Int32Array(size).fill(NONE);
    places.set(this.places);
    this.places = places;
    this.state = grown(this.state, new Uint8Array(size));
    this.generation = grown(this.generation, new Uint32Array(size));
    this.freedAt = grown(this.freedAt, new Float64Array(size));
    this.freedBy = grown(this.freedBy, new Uint16Array(size));
  }

  private growPlaces(size: number): void {
    this.frameOf = grown(this.frameOf, new Int32Array(size));
    this.level = grown(this.level, new Int8Array(size));
    this.isRoot = grown(this.isRoot, new Uint8Array(size));
    this.detached = grown(this.detached, new Uint8Array(size));
    this.retired = grown(this.retired, new Uint8Array(size));
    this.linked = grown(this.linked, new Uint8Array(size));
    this.everLinked = grown(this.everLinked, new Uint8Array(size));
    this.parentFrame = grown(this.parentFrame, new Int32Array(size));
    this.parentGeneration = grown(this.parentGeneration, new Uint32Array(size));
    this.parentSlot = grown(this.parentSlot, new Uint16Array(size));
    this.references = grown(this.references, new Int32Array(size));
    this.valid = grown(this.valid, new Uint16Array(size));
    this.counted = grown(this.counted, new Uint16Array(size));
    this.uncountedLeaves = grown(this.uncountedLeaves, new Uint8Array(size));
    this.children = grown(this.children, new Uint16Array(size));
    this.stage2 = grown(this.stage2, new Uint16Array(size));
    this.base = grown(this.base, new Float64Array(size));
    this.allocatedAt = grown(this.allocatedAt, new Float64Array(size));
    this.linkedAt = grown(this.linkedAt, new Float64Array(size));
    this.unlinkedAt = grown(this.unlinkedAt, new Float64Array(size));
  }
}

/** Whether the descriptor at `level` is a valid block or page. */
export function isLeaf(lo: number, level: number): boolean {
  return isValid(lo) && !isTable(lo, level);
}

/** `from` copied to the front of the longer array `to`. */
export function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
