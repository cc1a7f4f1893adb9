import type { Geometry } from '@s2lab/arch';
import { addressHi, addressLo } from '@s2lab/arch';
import { ChangeList } from './change-list.ts';
import { PieceTree } from './piece-tree.ts';
import type { StateWords } from './state-words.ts';

/** Physical address of table page 0; table t lies t pages above it. */
export const TABLE_BASE = 0x7000_0000_0000;

/** Life of a page frame that holds tables. */
export const FRAME = { never: 0, live: 1, freed: 2 } as const;

/** What a machine has freed that has freed nothing yet. */
const NONE_FREED = new Int32Array(0);

/**
 * All table pages of one machine, in typed arrays: descriptors as interleaved halves (low, high), reference counts, states.
 * A table is named by its page frame. Grows by doubling; memory follows the most frames ever live.
 */
export class TablePages {
  readonly shape: Geometry;
  private readonly reuseFrames: boolean;
  /** Pages that the low half of an address counts. */
  private readonly framesPerHigh: number;
  /** Descriptor (t, slot): element 2 * (t * entries + slot), high half next to it. Signed halves. */
  descriptors: Int32Array;
  references: Int32Array;
  /**
   * Who holds each page: the link that leads to it and, where a policy counts them, the walkers inside. Outlives the page (kernel: struct
   * page), so that a walker may try to come in at any time. 1 when the page is handed out.
   */
  holders: Int32Array;
  state: Uint8Array;
  level: Int8Array;
  /** Frames whose page changed since somebody who keeps copies last took note. */
  readonly changes = new ChangeList();
  /** Copies of the pages, by frame, as they were then. */
  taken = PieceTree.EMPTY;
  /** Stack of freed frames. */
  private freed: Int32Array = NONE_FREED;
  /** Where in the stack each frame is that lies there. */
  private freedAt: Int32Array = NONE_FREED;
  freedCount = 0;
  /** Frames ever used. */
  used = 0;
  live = 0;

  constructor(shape: Geometry, reuseFrames: boolean) {
    this.shape = shape;
    this.reuseFrames = reuseFrames;
    this.framesPerHigh = 2 ** (32 - shape.pageShift);
    const first = Math.max(2, shape.rootPages);
    this.descriptors = new Int32Array(2 * shape.entries * first);
    this.references = new Int32Array(first);
    this.holders = new Int32Array(first);
    this.state = new Uint8Array(first);
    this.level = new Int8Array(first);
  }

  /** The frame the next allocation will use. */
  nextFrame(): number {
    return this.reuseFrames && this.freedCount > 0 ? this.freed[this.freedCount - 1]! : this.used;
  }

  /** Makes `frame` (that of nextFrame) a zeroed table with one reference. */
  allocate(frame: number, level: number): void {
    if (frame === this.used) {
      this.used += 1;
      if (this.used > this.state.length) this.grow();
    } else {
      this.freedCount -= 1;
    }
    const from = 2 * frame * this.shape.entries;
    this.descriptors.fill(0, from, from + 2 * this.shape.entries);
    this.references[frame] = 1;
    this.holders[frame] = 1;
    this.state[frame] = FRAME.live;
    this.level[frame] = level;
    this.changes.mark(frame);
    this.live += 1;
  }

  /**
   * Gives a frame back. Its old contents stay until it is used again, as in real memory. A frame that is free already is refused, as the
   * kernel's page allocator does (bad_page()): a policy with that defect is to be reported, not to corrupt the simulator.
   */
  free(frame: number): void {
    if (this.state[frame] !== FRAME.live) return;
    this.state[frame] = FRAME.freed;
    this.changes.mark(frame);
    this.live -= 1;
    if (!this.reuseFrames) return;
    if (this.freedCount === this.freed.length) this.freed = grown(this.freed, new Int32Array(Math.max(8, 2 * this.freed.length)));
    this.placeFreed(frame, this.freedCount);
    this.freedCount += 1;
  }

  /** Puts a value into a descriptor. */
  write(frame: number, slot: number, lo: number, hi: number): void {
    const i = this.indexOf(frame, slot);
    this.descriptors[i] = lo;
    this.descriptors[i + 1] = hi;
    this.changes.mark(frame);
  }

  /** Sets the reference count of a page. */
  count(frame: number, references: number): void {
    this.references[frame] = references;
    this.changes.mark(frame);
  }

  /** Sets how many hold a page. */
  hold(frame: number, holders: number): void {
    this.holders[frame] = holders;
    this.changes.mark(frame);
  }

  /** Writes which frames are in use and in which order free ones are handed out again. */
  saveFree(into: StateWords): void {
    this.saveUse(into);
    into.putAll(this.freed, 0, this.freedCount);
  }

  /** Reads what `saveFree` wrote. The pages themselves are read after it. */
  loadFree(from: StateWords): void {
    this.loadUse(from);
    for (let at = 0; at < this.freedCount; at += 1) this.placeFreed(from.get(), at);
  }

  /** Writes how many frames are in use. */
  saveUse(into: StateWords): void {
    into.put(this.used);
    into.put(this.live);
    into.put(this.freedCount);
  }

  /** Reads what `saveUse` wrote. The place of each free frame is read after it, with its page. */
  loadUse(from: StateWords): void {
    this.used = from.get();
    while (this.used > this.state.length) this.grow();
    this.live = from.get();
    this.freedCount = from.get();
    if (this.freedCount > this.freed.length) this.freed = grown(this.freed, new Int32Array(2 * this.freedCount));
  }

  /** Where in the order in which free frames are handed out again the free frame `frame` stands, -1 where none is. */
  placeOf(frame: number): number {
    return this.reuseFrames ? this.freedAt[frame]! : -1;
  }

  /** Puts a free frame where it stood. */
  placeFreed(frame: number, at: number): void {
    if (at < 0) return;
    if (this.freedAt.length < this.state.length) this.freedAt = grown(this.freedAt, new Int32Array(this.state.length));
    this.freed[at] = frame;
    this.freedAt[frame] = at;
  }

  /** Free frame `i`, from that which is handed out last. */
  freeFrame(i: number): number {
    return this.freed[i]!;
  }

  /** Every frame goes by the name `to` gives it, below `used`; those without are as if they had never been used. */
  rename(to: Int32Array, used: number): void {
    const before = this.used;
    const { descriptors, references, holders, state, level } = this;
    this.descriptors = new Int32Array(descriptors.length);
    this.references = new Int32Array(references.length);
    this.holders = new Int32Array(holders.length);
    this.state = new Uint8Array(state.length);
    this.level = new Int8Array(level.length);
    for (let frame = 0; frame < before; frame += 1) {
      const other = to[frame]!;
      if (other < 0) continue;
      this.descriptors.set(descriptors.subarray(this.indexOf(frame, 0), this.indexOf(frame + 1, 0)), this.indexOf(other, 0));
      this.references[other] = references[frame]!;
      this.holders[other] = holders[frame]!;
      this.state[other] = state[frame]!;
      this.level[other] = level[frame]!;
    }
    this.changes.markRange(0, before);
    let kept = 0;
    for (let i = 0; i < this.freedCount; i += 1) {
      const other = to[this.freed[i]!]!;
      if (other < 0) continue;
      this.placeFreed(other, kept);
      kept += 1;
    }
    this.freedCount = kept;
    this.used = used;
  }

  private grow(): void {
    const frames = 2 * this.state.length;
    this.descriptors = grown(this.descriptors, new Int32Array(2 * this.shape.entries * frames));
    this.references = grown(this.references, new Int32Array(frames));
    this.holders = grown(this.holders, new Int32Array(frames));
    this.state = grown(this.state, new Uint8Array(frames));
    this.level = grown(this.level, new Int8Array(frames));
  }

  /** Index of the low half of descriptor (frame, slot). */
  indexOf(frame: number, slot: number): number {
    return 2 * (frame * this.shape.entries + slot);
  }

  /** Low half of a table descriptor that points to `frame`. */
  linkLo(frame: number): number {
    return addressLo(this.shape, TABLE_BASE + frame * this.shape.pageBytes) | 3;
  }

  /** High half of a table descriptor that points to `frame`. */
  linkHi(frame: number): number {
    return addressHi(this.shape, TABLE_BASE + frame * this.shape.pageBytes);
  }

  /** Frame a table descriptor points to. */
  frameOf(lo: number, hi: number): number {
    return ((hi & 0xffff) - 0x7000) * this.framesPerHigh + (lo >>> this.shape.pageShift);
  }
}

function grown<T extends Int32Array | Uint8Array | Int8Array>(from: T, into: T): T {
  into.set(from as never);
  return into;
}
