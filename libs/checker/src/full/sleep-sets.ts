import type { StateWords } from '@s2lab/engine';
import { Footprint } from './footprints.ts';
import type { Subject } from './subject.ts';

/** Longest way that counts as such. */
const DEPTH_MAX = 0xffff;

/**
 * Steps that need not be taken from a state, since they commute with all that was taken on the way from one where they were: they sleep. All states
 * are come to all the same. With a state is kept who sleeps there; it is expanded again where it is met with fewer, for those alone. That waits until all else is
 * done, and then the states nearest to the start come first: a state is expanded again once all that leads to it has been.
 * @source P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032 (1996), chapter 5
 */
export class SleepSets {
  private readonly subject: Subject;
  private readonly footprints: readonly Footprint[];
  /** By state: bits of the actors that sleep there, of those whose steps are still to be taken, and choices from the start. */
  private sleeping = new Uint16Array(1 << 10);
  private left = new Uint16Array(1 << 10);
  private depth = new Uint16Array(1 << 10);
  /** States to be expanded again, by choices from the start. */
  private readonly again: number[][] = [];
  /** Who sleeps in the state that is being expanded, now. */
  private present = 0;

  constructor(subject: Subject) {
    this.subject = subject;
    this.footprints = subject.machine.walkers.map(() => new Footprint());
  }

  get bytes(): number {
    return this.sleeping.byteLength + this.left.byteLength + this.depth.byteLength;
  }

  /** A state is new: `sleep` do so in it, and it was come to from `parent`. */
  stored(id: number, parent: number, sleep: number): void {
    if (id >= this.sleeping.length) this.grow(2 * id);
    this.sleeping[id] = sleep;
    this.left[id] = ~sleep;
    this.depth[id] = id === parent ? 0 : Math.min(DEPTH_MAX, this.depth[parent]! + 1);
  }

  /** A state was met again with `sleep`. */
  met(id: number, sleep: number, isExpanded: boolean): void {
    const woken = this.sleeping[id]! & ~sleep;
    if (woken === 0) return;
    this.sleeping[id]! &= sleep;
    if (isExpanded && this.left[id] === 0) this.putBack(id);
    this.left[id]! |= woken;
  }

  /** A state that is to be expanded again; undefined when there is none. */
  next(): number | undefined {
    for (const states of this.again) {
      const id = states?.pop();
      if (id !== undefined) return id;
    }
    return undefined;
  }

  /** A state is to be expanded again. */
  putBack(id: number): void {
    (this.again[this.depth[id]!] ??= []).push(id);
  }

  /** State `id`, which is present, is expanded; `ready` can step there. Returns whose steps are to be taken. */
  begin(id: number, ready: number): number {
    const { subject, footprints } = this;
    const taken = this.left[id]! & ready;
    this.left[id] = 0;
    this.present = this.sleeping[id]!;
    for (const walker of subject.machine.walkers)
      if (((this.present | taken) & (1 << walker.actor)) !== 0) footprints[walker.actor]!.tell(subject, walker);
    return taken;
  }

  /**
   * The step of `actor` was taken from the state that is being expanded. Returns who sleeps where it led, by the actors' places there.
   * @param moved actors that have made a step, one bit each: what they do next was not taken before
   * @param order of each actor as it stands now, who it was before
   */
  pass(actor: number, moved: number, order: readonly number[]): number {
    const { footprints } = this;
    const candidates = this.present & ~moved;
    let passed = 0;
    for (let now = 0; candidates !== 0 && now < footprints.length; now += 1) {
      const before = order[now]!;
      if ((candidates & (1 << before)) !== 0 && footprints[before]!.commutes(footprints[actor]!)) passed |= 1 << now;
    }
    this.present |= 1 << actor;
    return passed;
  }

  /** Writes what is kept of `states` states. */
  save(states: number, into: StateWords): void {
    for (let id = 0; id < states; id += 1) {
      into.put(this.sleeping[id]! | (this.left[id]! << 16));
      into.put(this.depth[id]!);
    }
    const again = this.again.flatMap((each) => each ?? []);
    into.put(again.length);
    for (const id of again) into.put(id);
  }

  /** Reads what `save` wrote. */
  restore(states: number, from: StateWords): void {
    this.grow(states);
    for (let id = 0; id < states; id += 1) {
      const word = from.get();
      this.sleeping[id] = word;
      this.left[id] = word >>> 16;
      this.depth[id] = from.get();
    }
    for (let left = from.get(); left > 0; left -= 1) this.putBack(from.get());
  }

  private grow(states: number): void {
    const longer = (from: Uint16Array<ArrayBuffer>): Uint16Array<ArrayBuffer> => {
      const to = new Uint16Array(Math.max(states, from.length));
      to.set(from);
      return to;
    };
    this.sleeping = longer(this.sleeping);
    this.left = longer(this.left);
    this.depth = longer(this.depth);
  }
}
