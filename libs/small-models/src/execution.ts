import type { Model } from './model.ts';

/** One step of an execution: who made it, and which shared locations it read and wrote. */
export interface Step {
  readonly process: number;
  readonly reads: number;
  readonly writes: number;
  /** Whether the process had to await something. */
  readonly awaited: boolean;
}

/** Whether two steps of different processes conflict: both touch one location and one of them writes it. */
export function conflict(a: Pick<Step, 'reads' | 'writes'>, b: Pick<Step, 'reads' | 'writes'>): boolean {
  return (a.writes & (b.reads | b.writes)) !== 0 || (a.reads & b.writes) !== 0;
}

/**
 * Whether what `process` does next may come before all of `sequence` without any difference: its first step there conflicts with none before; or it has
 * none there, and its `next` step conflicts with none at all.
 */
export function isWeakInitial(process: number, next: () => Step, sequence: readonly Step[]): boolean {
  const first = sequence.findIndex((step) => step.process === process);
  const mine = first < 0 ? next() : sequence[first]!;
  const before = first < 0 ? sequence.length : first;
  for (let k = 0; k < before; k += 1) if (conflict(sequence[k]!, mine)) return false;
  return true;
}

/** Executes a model step by step, from any state. */
export class Executor {
  /** Steps made, those only looked at included. */
  steps = 0;
  readonly count: number;
  /** Whether the assertion of the last step held. */
  held = true;
  private readonly model: Model;
  private readonly before: Uint8Array;

  constructor(model: Model) {
    this.model = model;
    this.count = model.fields.processes.length;
    this.before = model.state.slice();
  }

  get state(): Uint8Array {
    return this.model.state;
  }

  /** Processes that can step, as a mask. */
  enabled(): number {
    let mask = 0;
    for (let p = 0; p < this.count; p += 1) if (this.model.enabled(p)) mask |= 1 << p;
    return mask;
  }

  done(process: number): boolean {
    return this.model.done(process);
  }

  /** Makes the step of `process`, or, when it awaits something in vain, only notes what it looks at and returns undefined. */
  step(process: number): Step | undefined {
    const { model } = this;
    model.reads = 0;
    model.writes = 0;
    if (!model.enabled(process)) return undefined;
    const awaited = model.reads !== 0;
    this.held = model.step(process);
    this.steps += 1;
    return { process, reads: model.reads, writes: model.writes, awaited };
  }

  /** The step that `process`, which is enabled, would make; the state stays. */
  peek(process: number): Step {
    const { model, before } = this;
    before.set(model.state);
    const step = this.step(process)!;
    model.state.set(before);
    return step;
  }

  /** What a process that is not enabled awaits: the locations it looks at. */
  awaits(process: number): Step {
    const { model } = this;
    model.reads = 0;
    model.enabled(process);
    return { process, reads: model.reads, writes: 0, awaited: true };
  }
}

/** Who happens before whom in an execution: program order and the order of conflicting steps, and what follows from them. */
export class HappensBefore {
  private readonly steps: readonly Step[];
  /** By step and process: one more than the last step of that process that happens before (or is) the step. */
  private readonly clocks: Int32Array;
  private readonly count: number;

  constructor(steps: readonly Step[], processes: number) {
    this.steps = steps;
    this.count = processes;
    this.clocks = new Int32Array(steps.length * processes);
    for (let j = 0; j < steps.length; j += 1) {
      for (let i = j - 1; i >= 0; i -= 1) {
        if (this.before(i, j) || (steps[i]!.process !== steps[j]!.process && !conflict(steps[i]!, steps[j]!))) continue;
        for (let p = 0; p < processes; p += 1) {
          this.clocks[j * processes + p] = Math.max(this.clocks[j * processes + p]!, this.clocks[i * processes + p]!);
        }
      }
      this.clocks[j * processes + steps[j]!.process] = j + 1;
    }
  }

  /** Whether step `i` happens before step `j`, `i` < `j`. */
  before(i: number, j: number): boolean {
    return this.clocks[j * this.count + this.steps[i]!.process]! > i;
  }

  /** Whether the order of `i` before `j` is by themselves alone: nothing lies between. */
  immediate(i: number, j: number): boolean {
    for (let k = i + 1; k < j; k += 1) if (this.before(i, k) && this.before(k, j)) return false;
    return true;
  }
}

/**
 * Whether an execution stays what it is, but for the order of steps that do not conflict, when two identical processes change places: both have made the same steps, and every two
 * conflicting steps come in the order of those that take their places.
 */
export function isSymmetric(steps: readonly Step[], a: number, b: number): boolean {
  const of = (process: number): number[] => [...steps.keys()].filter((k) => steps[k]!.process === process);
  const [own, other] = [of(a), of(b)];
  if (own.length !== other.length) return false;
  const image = Int32Array.from(steps.keys());
  for (const [n, k] of own.entries()) {
    const l = other[n]!;
    if (steps[k]!.reads !== steps[l]!.reads || steps[k]!.writes !== steps[l]!.writes) return false;
    image[k] = l;
    image[l] = k;
  }
  for (const k of [...own, ...other]) {
    for (let l = 0; l < steps.length; l += 1) {
      if (l !== k && k < l !== image[k]! < image[l]! && conflict(steps[k]!, steps[l]!)) return false;
    }
  }
  return true;
}
