import type { Machine } from './machine.ts';
import { FRAME } from './table-pages.ts';
import type { Walker } from './walker.ts';
import { WALK_COUNT } from './walker.ts';

/*
 * Which frame a table page lies in matters to nobody: frames are only ever compared with each other. So two states that differ in the frames of
 * their pages alone are one, if each is given the names that its own shape suggests: pages in the order in which they are come by from the
 * roots, then by what is retired, by walkers, by caches, then free frames in the order in which they will be handed out. A free frame that
 * nobody knows and that is handed out after all others is as good as one that was never used.
 */

const CHILD = 37;
const TABLE = 26;
const HARDWARE_TABLE = 11;
/** The reclaim worker keeps the table at hand there. */
const WORKER_TABLE = 9;
/** Descriptors read and to be made. */
const OLD = 33;
const NEW = 35;
/** Table, slot and descriptor at each level above the present one. */
const STACK = 50;
const LEVELS = 4;
const NONE = -1;

/** Says what becomes of a frame that a state names. */
type Rename = (frame: number) => number;

/** Gives the table pages of machines their canonical names. One is enough for many states of one machine. */
export class TableNames {
  private readonly machine: Machine;
  /** New name by old, -1 = none (yet). */
  private to = new Int32Array(0);
  private next = 0;
  private readonly assign: Rename = (frame) => {
    this.name(frame);
    return frame;
  };
  /** The new name of a frame that the machine, or somebody who keeps books about it, knows. */
  readonly renamed: Rename = (frame) => (frame >= 0 && frame < this.to.length && this.to[frame]! >= 0 ? this.to[frame]! : frame);

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /**
   * Renames the frames of the machine. Returns whether any has another name now, or is none any more.
   * @param alsoKnown frames that somebody outside the machine knows; negative ones are none
   */
  rename(alsoKnown: Int32Array): boolean {
    this.choose(alsoKnown);
    const { to, machine } = this;
    const { pages } = machine.world;
    let same = this.next === pages.used;
    for (let frame = 0; same && frame < pages.used; frame += 1) same = to[frame] === frame;
    if (same) return false;
    this.eachKnown(this.renamed);
    this.relink();
    pages.rename(to, this.next);
    return true;
  }

  private choose(alsoKnown: Int32Array): void {
    const { world } = this.machine;
    const { pages } = world;
    if (this.to.length < pages.used) this.to = new Int32Array(2 * pages.used);
    this.to.fill(NONE);
    this.next = 0;
    // Roots keep their places, one behind the other; a register that holds nothing holds 0.
    const roots = Math.min(world.shape.rootPages, pages.used);
    for (; this.next < roots; this.next += 1) this.to[this.next] = this.next;
    for (let frame = 0; frame < roots; frame += 1) this.nameBelow(frame);
    this.eachKnown(this.assign);
    for (let i = 0; i < alsoKnown.length; i += 1) this.name(alsoKnown[i]!);
    for (let frame = 0; frame < pages.used; frame += 1) if (pages.state[frame] === FRAME.live) this.name(frame);
    let bottom = 0;
    while (bottom < pages.freedCount && this.to[pages.freeFrame(bottom)] === NONE) bottom += 1;
    for (let i = pages.freedCount - 1; i >= bottom; i -= 1) this.name(pages.freeFrame(i));
  }

  private name(frame: number): void {
    const { pages } = this.machine.world;
    if (frame < 0 || frame >= pages.used || this.to[frame] !== NONE) return;
    this.to[frame] = this.next;
    this.next += 1;
    this.nameBelow(frame);
  }

  private nameBelow(frame: number): void {
    const { pages, shape } = this.machine.world;
    if (pages.state[frame] !== FRAME.live) return;
    for (let slot = 0; slot < shape.entries; slot += 1) {
      const i = pages.indexOf(frame, slot);
      this.name(this.linked(pages.descriptors[i]!, pages.descriptors[i + 1]!));
    }
  }

  /** The frame that a descriptor links, or -1. */
  private linked(lo: number, hi: number): number {
    if ((lo & 3) !== 3) return NONE;
    const { pages } = this.machine.world;
    const frame = pages.frameOf(lo, hi);
    return frame >= 0 && frame < pages.used && pages.linkLo(frame) === lo && pages.linkHi(frame) === hi ? frame : NONE;
  }

  /** Puts `rename` of each frame that is known outside the pages in the place of it. */
  private eachKnown(rename: Rename): void {
    const { machine } = this;
    for (const stage2 of machine.world.stage2s) {
      if (stage2 === undefined) continue;
      if (stage2.root >= 0) stage2.root = rename(stage2.root);
      stage2.renameRetired(rename);
    }
    for (const walker of machine.walkers) this.eachOfWalker(walker, rename);
    machine.renamePolicies(rename);
    for (const stage2 of machine.world.stage2s) {
      if (stage2 === undefined) continue;
      const { walkTag, walkNext } = stage2.tlb;
      for (let e = 0; e < walkTag.length; e += 1) if (walkTag[e] !== 0) walkNext[e] = rename(walkNext[e]!);
    }
  }

  private eachOfWalker({ actor, r }: Walker, rename: Rename): void {
    r[HARDWARE_TABLE] = rename(r[HARDWARE_TABLE]!);
    if (actor === this.machine.reclaimActor) r[WORKER_TABLE] = rename(r[WORKER_TABLE]!);
    for (let walk = 0; walk <= WALK_COUNT; walk += WALK_COUNT) {
      r[walk + TABLE] = rename(r[walk + TABLE]!);
      r[walk + CHILD] = rename(r[walk + CHILD]!);
      this.ofDescriptor(r, walk + OLD, rename);
      this.ofDescriptor(r, walk + NEW, rename);
      for (let at = walk + STACK; at < walk + STACK + 4 * LEVELS; at += 4) {
        r[at] = rename(r[at]!);
        this.ofDescriptor(r, at + 2, rename);
      }
    }
  }

  private ofDescriptor(words: Int32Array, at: number, rename: Rename): void {
    const frame = this.linked(words[at]!, words[at + 1]!);
    if (frame < 0) return;
    const { pages } = this.machine.world;
    const other = rename(frame);
    words[at] = pages.linkLo(other);
    words[at + 1] = pages.linkHi(other);
  }

  private relink(): void {
    const { pages, shape } = this.machine.world;
    for (let frame = 0; frame < pages.used; frame += 1) {
      if (pages.state[frame] !== FRAME.live) continue;
      for (let slot = 0; slot < shape.entries; slot += 1) this.ofDescriptor(pages.descriptors, pages.indexOf(frame, slot), this.renamed);
    }
  }
}
