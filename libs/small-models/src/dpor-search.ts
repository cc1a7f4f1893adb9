import { conflict, Executor, HappensBefore, isSymmetric, isWeakInitial } from './execution.ts';
import type { Step } from './execution.ts';
import type { Model } from './model.ts';
import type { Counterexample } from './state-search.ts';

/** Ways that are still to be explored from a state: an ordered tree of steps, named by their processes. */
interface WakeupTree {
  readonly process: number;
  readonly children: WakeupTree[];
}

/** A state on the current path. */
interface Frame {
  readonly state: Uint8Array;
  readonly enabled: number;
  /** Processes whose step from here need not be taken: what follows has been explored in another order. */
  sleep: number;
  readonly wakeups: WakeupTree[];
  /** The step that led from here to the next frame. */
  taken: Step | undefined;
  /** By process: the first of those that could change places with it all the way to here; absent = not looked at yet. */
  first?: readonly number[];
}

/** Steps after which an execution is given up: a process may spin for ever. */
const DEPTH_MAX = 10_000;

/**
 * Explores one execution of each class of equivalent ones (Mazurkiewicz traces: they differ in the order of steps that do not conflict), and no execution
 * that leads into the middle of a class explored before. Stores no states.
 *
 * Optimal dynamic partial-order reduction with wakeup trees. Races are looked for in whole executions. Where a process awaits something, a race
 * is any earlier conflicting step without which it could have gone on, not only the last one: what let it go on may follow from what kept it waiting.
 *
 * With symmetry, one of the classes that differ only in which of some identical processes is which. Two of them can change places where the way so far is the same class with them exchanged:
 * all that begins there with the one is then all that begins with the other, with the two exchanged from the start, and is explored for the first of them alone.
 * @source Abdulla, Aronsson, Jonsson, Sagonas: Source Sets: A Foundation for Optimal Dynamic Partial Order Reduction, J. ACM 64 (2017), algorithm 2
 */
export class DporSearch {
  /** Whole executions: all processes at their ends, or none able to step. */
  executions = 0;
  /** Executions given up because all that could step need not: an optimal search has none. */
  blocked = 0;
  ended: 'complete' | 'counterexample' | 'depth' | undefined;
  /** Called with the state at the end of every execution, and its steps. */
  onEnd: (state: Uint8Array, steps: readonly Step[]) => void = () => {};
  private readonly executor: Executor;
  private readonly identical: Model['identical'];
  private readonly path: Frame[] = [];
  private found: Counterexample | undefined;

  constructor(model: Model, symmetry = false) {
    this.executor = new Executor(model);
    this.identical = symmetry ? model.identical : [];
    this.push(0, []);
  }

  /** Steps made, those to find out about races included. */
  get transitions(): number {
    return this.executor.steps;
  }

  /** Explores on until `executions` more executions have ended. Returns whether there is more to do. */
  advance(executions: number): boolean {
    const until = this.executions + executions;
    while (this.ended === undefined && this.executions < until) this.explore();
    return this.ended === undefined;
  }

  /** The counterexample, once `ended` says that there is one. */
  counterexample(): Counterexample | undefined {
    return this.found;
  }

  /** One step forward, or the end of an execution, or back. */
  private explore(): void {
    const frame = this.path.at(-1);
    if (frame === undefined) {
      this.ended = 'complete';
      return;
    }
    if (frame.taken !== undefined) {
      // Back from the first wakeup: whatever starts with its process, or with one that is like it, has been explored.
      frame.sleep |= this.like(frame, this.path.length - 1, frame.taken.process);
      frame.wakeups.shift();
      frame.taken = undefined;
      if (frame.wakeups.length === 0) this.path.pop();
      return;
    }
    if (frame.enabled === 0) return this.endExecution(frame);
    if (frame.wakeups.length === 0) {
      const awake = frame.enabled & ~frame.sleep;
      if (awake === 0) {
        this.blocked += 1;
        this.path.pop();
        return;
      }
      frame.wakeups.push({ process: this.next(awake), children: [] });
    }
    this.take(frame, frame.wakeups[0]!);
  }

  /** Whose turn it is of those in a mask. With symmetry, who has made the fewest steps: so it is seen soonest where identical processes can change places. */
  private next(awake: number): number {
    if (this.identical.length === 0) return lowest(awake);
    const made = new Int32Array(this.executor.count);
    for (const { taken } of this.path) if (taken !== undefined) made[taken.process]! += 1;
    let next = lowest(awake);
    for (let left = awake; left !== 0; left &= left - 1) if (made[lowest(left)]! < made[next]!) next = lowest(left);
    return next;
  }

  private take(frame: Frame, { process, children }: WakeupTree): void {
    const { executor } = this;
    executor.state.set(frame.state);
    const sleepers: Step[] = [];
    for (let left = frame.sleep; left !== 0; left &= left - 1) sleepers.push(executor.peek(lowest(left)));
    const step = executor.step(process)!;
    frame.taken = step;
    if (!executor.held) return this.stop('assertion');
    if (this.path.length === DEPTH_MAX) {
      this.ended = 'depth';
      return;
    }
    const asleep = sleepers.filter((sleeper) => !conflict(sleeper, step)).reduce((mask, sleeper) => mask | (1 << sleeper.process), 0);
    this.push(asleep, children);
  }

  private push(sleep: number, wakeups: WakeupTree[]): void {
    const { executor } = this;
    const frame: Frame = { state: executor.state.slice(), enabled: executor.enabled(), sleep, wakeups, taken: undefined };
    for (let left = sleep; left !== 0; left &= left - 1) frame.sleep |= this.like(frame, this.path.length, lowest(left));
    if (this.identical.length > 0) wakeups.splice(0, Infinity, ...this.ofTheFirst(frame));
    this.path.push(frame);
  }

  /** The wakeups of a frame that comes next, each for the first of those that are like the process that it begins with; those of one process as one. */
  private ofTheFirst(frame: Frame): WakeupTree[] {
    const trees: WakeupTree[] = [];
    for (const tree of frame.wakeups) {
      const process = this.firstLike(frame, this.path.length, tree.process);
      if ((frame.sleep & (1 << process)) !== 0) continue;
      const { children } = process === tree.process ? tree : renamed(tree, process, tree.process);
      const known = trees.find((each) => each.process === process);
      if (known === undefined) trees.push({ process, children });
      else known.children.push(...children);
    }
    return trees;
  }

  private stop(kind: Counterexample['kind']): void {
    this.found = { kind, schedule: this.path.flatMap(({ taken }) => (taken === undefined ? [] : [taken.process])) };
    this.ended = 'counterexample';
  }

  private endExecution(frame: Frame): void {
    const { executor } = this;
    this.executions += 1;
    const steps = this.path.slice(0, -1).map(({ taken }) => taken!);
    this.onEnd(frame.state, steps);
    executor.state.set(frame.state);
    const waiting: Step[] = [];
    for (let p = 0; p < executor.count; p += 1) if (!executor.done(p)) waiting.push(executor.awaits(p));
    if (waiting.length > 0) return this.stop('deadlock');
    this.reverseRaces(steps);
    this.path.pop();
  }

  /** Plans, for every race of the execution, one in which the later step comes first. */
  private reverseRaces(steps: readonly Step[]): void {
    const order = new HappensBefore(steps, this.executor.count);
    const previous = new Int32Array(this.executor.count).fill(-1);
    for (let j = 0; j < steps.length; j += 1) {
      const { process, awaited } = steps[j]!;
      const own = previous[process]!;
      for (let i = j - 1; i >= 0; i -= 1) {
        if (steps[i]!.process === process || !conflict(steps[i]!, steps[j]!)) continue;
        if (own > i && order.before(i, own)) continue;
        if (awaited || order.immediate(i, j)) this.planReversal(i, steps, process, order);
      }
      previous[process] = j;
    }
  }

  /** From before step `i`: everything after it that does not follow from it, then the next step of `process`. */
  private planReversal(i: number, steps: readonly Step[], process: number, order: HappensBefore): void {
    const { executor } = this;
    const frame = this.path[i]!;
    executor.state.set(frame.state);
    const sequence: Step[] = [];
    for (let k = i + 1; k < steps.length; k += 1) if (!order.before(i, k)) sequence.push(executor.step(steps[k]!.process)!);
    const reversed = executor.step(process);
    if (reversed === undefined) return; // it awaits what step `i` brought about
    sequence.push(reversed);
    this.plan(i, sequence);
  }

  /**
   * Has `sequence` explored from frame number `from` on. Where it may begin with the process that is being explored from there, or, that one exchanged, with one that is like it, it
   * is planned from the next frame on.
   */
  private plan(from: number, sequence: Step[]): void {
    for (let i = from, left = sequence; left.length > 0; i += 1) {
      const frame = this.path[i]!;
      if (frame.taken === undefined) return;
      const { process } = frame.taken;
      this.executor.state.set(frame.state);
      if (this.beginner(frame.sleep, left) >= 0) return;
      const beginner = this.identical.length === 0 ? -1 : this.beginner(this.like(frame, i, process), left);
      if (beginner < 0) return this.insert(frame.wakeups, this.ofFirst(frame, i, left));
      left = exchange(left, process, beginner);
      const first = left.findIndex((step) => step.process === process);
      if (first >= 0) left.splice(first, 1);
    }
  }

  /** A process of those in a mask that may make its next step, from the executor's state, before all of `sequence`; -1 = none. */
  private beginner(mask: number, sequence: readonly Step[]): number {
    for (let left = mask; left !== 0; left &= left - 1) if (this.mayBegin(lowest(left), sequence)) return lowest(left);
    return -1;
  }

  private mayBegin(process: number, sequence: readonly Step[]): boolean {
    return isWeakInitial(process, () => this.executor.peek(process), sequence);
  }

  /** `sequence`, from frame number `i` on, so that it begins with the first of those that are like a process that it may begin with. */
  private ofFirst(frame: Frame, i: number, sequence: Step[]): Step[] {
    for (const { process } of sequence) {
      const first = this.firstLike(frame, i, process);
      if (first === process || !this.mayBegin(process, sequence)) continue;
      const at = sequence.findIndex((step) => step.process === first);
      const begins = at >= 0 && this.mayBegin(first, sequence);
      return begins ? [sequence[at]!, ...sequence.toSpliced(at, 1)] : exchange(sequence, first, process);
    }
    return sequence;
  }

  /** The processes that can change places with `process` all the way to frame number `i`, itself included, as a mask. */
  private like(frame: Frame, i: number, process: number): number {
    const first = this.firstLike(frame, i, process);
    const group = this.identical.find((each) => each.includes(process)) ?? [process];
    return group.filter((other) => this.firstLike(frame, i, other) === first).reduce((mask, other) => mask | (1 << other), 1 << process);
  }

  private firstLike(frame: Frame, i: number, process: number): number {
    return (frame.first ??= this.firstOfLike(this.path.slice(0, i).map(({ taken }) => taken!)))[process]!;
  }

  private firstOfLike(steps: readonly Step[]): readonly number[] {
    const first = Array.from({ length: this.executor.count }, (_, process) => process);
    for (const group of this.identical)
      for (const process of group)
        first[process] = group.find((other) => other === process || (first[other] === other && isSymmetric(steps, other, process)))!;
    return first;
  }

  /** Adds `sequence` to the tree, whose root is the executor's state, unless a branch leads into its class already. */
  private insert(root: WakeupTree[], sequence: Step[]): void {
    const { executor } = this;
    let children = root;
    for (;;) {
      const child = children.find(({ process }) => this.mayBegin(process, sequence));
      if (child === undefined) break;
      if (child.children.length === 0) return;
      const first = sequence.findIndex(({ process }) => process === child.process);
      if (first >= 0) sequence.splice(first, 1);
      executor.step(child.process);
      children = child.children;
    }
    for (const { process } of sequence) {
      const next: WakeupTree = { process, children: [] };
      children.push(next);
      children = next.children;
    }
  }
}

/** The tree with two processes exchanged. */
function renamed({ process, children }: WakeupTree, a: number, b: number): WakeupTree {
  return { process: process === a ? b : process === b ? a : process, children: children.map((child) => renamed(child, a, b)) };
}

/** The sequence with two processes exchanged. */
function exchange(sequence: readonly Step[], a: number, b: number): Step[] {
  return sequence.map((step) => (step.process === a ? { ...step, process: b } : step.process === b ? { ...step, process: a } : step));
}

/** Number of the lowest bit that is set. */
function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
