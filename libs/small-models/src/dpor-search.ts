import { conflict, Executor, HappensBefore, isWeakInitial } from './execution.ts';
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
}

/** Steps after which an execution is given up: a process may spin for ever. */
const DEPTH_MAX = 10_000;

/**
 * Explores one execution of each class of equivalent ones (Mazurkiewicz traces: they differ in the order of steps that do not conflict), and no execution
 * that leads into the middle of a class explored before. Stores no states.
 *
 * Optimal dynamic partial-order reduction with wakeup trees. Races are looked for in whole executions. Where a process awaits something, a race
 * is any earlier conflicting step without which it could have gone on, not only the last one: what let it go on may follow from what kept it waiting.
 * @source Abdulla, Aronsson, Jonsson, Sagonas: Source Sets: A Foundation for Optimal Dynamic Partial Order Reduction, J. ACM 64 (2017), algorithm 2
 */
export class DporSearch {
  /** Whole executions: all processes at their ends, or none able to step. */
  executions = 0;
  /** Executions given up because all that could step need not: an optimal search has none. */
  blocked = 0;
  ended: 'complete' | 'counterexample' | 'depth' | undefined;
  /** Called with the state at the end of every execution. */
  onEnd: (state: Uint8Array) => void = () => {};
  private readonly executor: Executor;
  private readonly path: Frame[] = [];
  private found: Counterexample | undefined;

  constructor(model: Model) {
    this.executor = new Executor(model);
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
      // Back from the first wakeup: whatever starts with its process has been explored.
      frame.sleep |= 1 << frame.taken.process;
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
      frame.wakeups.push({ process: lowest(awake), children: [] });
    }
    this.take(frame, frame.wakeups[0]!);
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
    this.path.push({ state: executor.state.slice(), enabled: executor.enabled(), sleep, wakeups, taken: undefined });
  }

  private stop(kind: Counterexample['kind']): void {
    this.found = { kind, schedule: this.path.flatMap(({ taken }) => (taken === undefined ? [] : [taken.process])) };
    this.ended = 'counterexample';
  }

  private endExecution(frame: Frame): void {
    const { executor } = this;
    this.executions += 1;
    this.onEnd(frame.state);
    executor.state.set(frame.state);
    const waiting: Step[] = [];
    for (let p = 0; p < executor.count; p += 1) if (!executor.done(p)) waiting.push(executor.awaits(p));
    if (waiting.length > 0) return this.stop('deadlock');
    this.reverseRaces(this.path.slice(0, -1).map(({ taken }) => taken!));
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
    executor.state.set(frame.state);
    for (let left = frame.sleep; left !== 0; left &= left - 1) {
      const sleeper = lowest(left);
      if (isWeakInitial(sleeper, () => executor.peek(sleeper), sequence)) return;
    }
    this.insert(frame.wakeups, sequence);
  }

  /** Adds `sequence` to the tree, whose root is the executor's state, unless a branch leads into its class already. */
  private insert(root: WakeupTree[], sequence: Step[]): void {
    const { executor } = this;
    let children = root;
    for (;;) {
      const child = children.find(({ process }) => isWeakInitial(process, () => executor.peek(process), sequence));
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

/** Number of the lowest bit that is set. */
function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
