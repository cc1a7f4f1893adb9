import type { ReclaimPolicy } from '@s2lab/engine';
import { StateWords } from '@s2lab/engine';
import type { CanonicalForm } from './canonical-form.ts';
import { advance, chosen } from './choices.ts';
import { Exploration } from './exploration.ts';
import type { FullCounterexample } from './full-counterexample.ts';
import { FULL_REDUCTIONS } from './reductions.ts';
import type { Judge } from './judge.ts';
import type { MachineStates } from './machine-states.ts';
import type { StaleLinks } from './stale-links.ts';
import type { Setting, Subject } from './subject.ts';

/** Bits that one state sets. */
const HASHES = 3;

/**
 * Which rows of words were met before, as far as bits can say: one that is new may be taken for an old one, never the other way round.
 * @source G. J. Holzmann, "An analysis of bitstate hashing", Formal Methods in System Design 13(3), 1998
 */
export class MetBits {
  /** How many were new. */
  count = 0;
  /** Bits that are set. */
  set = 0;
  readonly size: number;
  private readonly bits: Uint32Array;

  /** @param bytes rounded down to a power of two, at least 64 */
  constructor(bytes: number) {
    this.bits = new Uint32Array(2 ** Math.max(4, Math.floor(Math.log2(bytes / 4))));
    this.size = 32 * this.bits.length;
  }

  /** Notes the first `length` words. Returns whether they are new for certain. */
  add(words: Uint32Array | Int32Array, length: number): boolean {
    let first = length;
    let second = 0x9e37_79b9;
    for (let i = 0; i < length; i += 1) {
      first = Math.imul(first ^ words[i]!, 0x85eb_ca6b) ^ (first >>> 13);
      second = Math.imul(second ^ words[i]!, 0xc2b2_ae35) ^ (second >>> 16);
    }
    let fresh = false;
    for (let n = 0; n < HASHES; n += 1) {
      const bit = ((first + Math.imul(n, second | 1)) >>> 0) % this.size;
      const mask = 1 << (bit & 31);
      if ((this.bits[bit >>> 5]! & mask) !== 0) continue;
      this.bits[bit >>> 5]! |= mask;
      this.set += 1;
      fresh = true;
    }
    if (fresh) this.count += 1;
    return fresh;
  }
}

/** A state that is still to be expanded, and the way to it. */
interface Node {
  readonly row: Uint32Array;
  readonly before: Node | undefined;
  /** Who made the choice, as it stood in the state before; and the order in which actors stand since. */
  readonly actor: number;
  readonly order: number;
}

/** What bounds a search by bits. */
export interface BitStateOptions {
  /** Bytes for the bits of states, and again for those of steps that were judged. */
  readonly bytes: number;
  readonly except: readonly string[];
  /** Most states to meet. */
  readonly maxStates: number;
}

/**
 * Searches schedules depth-first in memory of a fixed size: states are not kept, only bits that say that they were met. What it finds is wrong
 * is wrong; what it does not find may be there all the same, in a state that was taken for another.
 */
export class BitStateSearch {
  transitions = 0;
  judged = 0;
  ended: 'complete' | 'counterexample' | 'states' | undefined;
  readonly met: MetBits;
  private readonly judgedSteps: MetBits;
  private readonly subject: Subject;
  private readonly stale: StaleLinks;
  private readonly states: MachineStates;
  private readonly form: CanonicalForm;
  private readonly judge: Judge;
  private readonly key = new StateWords();
  private readonly maxStates: number;
  private readonly stack: Node[] = [];
  private found: FullCounterexample | undefined;

  /** @throws RangeError when the machine cannot be built */
  constructor(setting: Setting, policy: ReclaimPolicy, workload: string, { bytes, except, maxStates }: BitStateOptions) {
    const machine = new Exploration(setting, policy, FULL_REDUCTIONS, except);
    this.subject = machine.subject;
    this.stale = machine.stale;
    this.form = machine.form;
    this.states = machine.states;
    this.judge = machine.judge(workload);
    this.met = new MetBits(bytes);
    this.judgedSteps = new MetBits(bytes);
    this.maxStates = maxStates;
    this.add(undefined, 0, this.states.firstOrder);
  }

  get storedStates(): number {
    return this.met.count;
  }

  /** Expands at most `states` states. Returns whether there is more to do. */
  advance(states: number): boolean {
    for (let n = 0; n < states && this.ended === undefined; n += 1) {
      const node = this.met.count >= this.maxStates ? undefined : this.stack.pop();
      if (node !== undefined) this.expand(node);
      else this.ended = this.stack.length === 0 ? 'complete' : 'states';
    }
    return this.ended === undefined;
  }

  /** What is wrong, once `ended` says that something is. */
  counterexample(): FullCounterexample | undefined {
    return this.found;
  }

  private add(before: Node | undefined, actor: number, order: number): void {
    const { present, words } = this.states;
    if (this.met.add(present, words)) this.stack.push({ row: present.slice(), before, actor, order });
  }

  private expand(node: Node): void {
    const { states, subject, stale } = this;
    const { machine } = subject;
    states.load(node.row, 0);
    const able = Array.from({ length: subject.choices }, (_, choice) => choice).filter((choice) => subject.isReady(choice));
    if (able.length === 0) {
      this.end(node);
      return;
    }
    for (const actor of able) {
      states.load(node.row, 0);
      const fresh = this.isFresh(actor);
      machine.columns.clear();
      advance(subject, actor, true);
      stale.fold(machine.columns, 0);
      const order = states.note();
      this.transitions += 1;
      if (fresh && this.isViolated({ row: node.row, before: node, actor, order }, false)) return;
      this.add(node, actor, order);
    }
  }

  /** Whether a choice is judged here: a store that becomes visible always is. */
  private isFresh(choice: number): boolean {
    const { key } = this;
    if (this.subject.isDrain(choice)) return true;
    key.clear();
    this.states.writeWithoutOthers(choice, key);
    return this.judgedSteps.add(key.words, key.length);
  }

  private end(node: Node): void {
    const { machine } = this.subject;
    if (machine.done) {
      this.isViolated(node, true);
      return;
    }
    const { schedule, who } = this.way(node);
    this.found = this.judge.deadlock(schedule, machine, who);
    this.ended = 'counterexample';
  }

  private isViolated(node: Node, toTheEnd: boolean): boolean {
    const { schedule, who } = this.way(node);
    this.judged += 1;
    this.found = this.judge.judge(schedule, toTheEnd, this.subject.machine, who);
    if (this.found === undefined) return false;
    this.ended = 'counterexample';
    return true;
  }

  /** Who makes each choice on the way to a state, and who each actor is that stands there. */
  private way(node: Node): { readonly schedule: number[]; readonly who: readonly number[] } {
    const nodes: Node[] = [];
    let first = node;
    for (; first.before !== undefined; first = first.before) nodes.push(first);
    let who: readonly number[] = this.form.orders[first.order]!;
    const schedule: number[] = [];
    for (const { actor, order } of nodes.reverse()) {
      const before = who;
      schedule.push(chosen(before, actor));
      who = this.form.orders[order]!.map((stood) => before[stood]!);
    }
    return { schedule, who };
  }
}
