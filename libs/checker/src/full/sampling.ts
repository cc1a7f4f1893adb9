import type { ReclaimPolicy } from '@s2lab/engine';
import { Prng } from '@s2lab/engine';
import type { FullCounterexample } from './full-counterexample.ts';
import { Judge } from './judge.ts';
import type { Setting } from './subject.ts';
import { Subject } from './subject.ts';

/** How schedules are drawn: each step by an actor at random; or by priorities that change at a few random moments. */
export type Draw = 'random' | 'pct';

/** What to sample. */
export interface SamplingOptions {
  readonly draw: Draw;
  readonly seed: number;
  /** Executions to run. */
  readonly executions: number;
  /** PCT: defects that need so many steps in a certain order are found with a known probability. */
  readonly depth: number;
  /** Ids of rules that are not judged. */
  readonly except: readonly string[];
}

/** Steps of an execution after which it is given up. */
const STEPS_MAX = 20_000;
/** PCT: steps in a row after which an actor that spins gives way, so that whom it waits for comes on. */
const SPIN_MAX = 500;
/** Program counters are below this. */
const PCS = 1024;

/**
 * Runs the machine by schedules drawn at random, for what is too big to be searched whole: finds defects and shows none to be absent. Reports
 * which pairs of steps it has seen one after the other by two actors; a schedule that fails is shrunk.
 * @source S. Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010 (PCT)
 */
export class Sampling {
  executions = 0;
  steps = 0;
  /** Executions given up because they did not end. */
  unended = 0;
  ended: 'counterexample' | 'sampled' | undefined;
  /** Executions after which the last new pair of steps was seen. */
  lastNewPair = 0;
  private readonly subject: Subject;
  private readonly judge: Judge;
  private readonly prng: Prng;
  private readonly options: SamplingOptions;
  private readonly seen = new Set<number>();
  private readonly priority: Int32Array;
  /** Length of the longest execution so far: moments of change are drawn below it. */
  private longest = 100;
  private found: FullCounterexample | undefined;

  constructor(setting: Setting, policy: ReclaimPolicy, workload: string, options: SamplingOptions) {
    this.options = options;
    const subject = new Subject(setting, policy);
    this.subject = subject;
    this.judge = new Judge(subject, workload, options.except, (choice) => subject.step(choice));
    this.prng = new Prng(options.seed);
    this.priority = new Int32Array(this.subject.choices);
  }

  /** Pairs of steps that were seen one after the other, by two actors. */
  get pairs(): number {
    return this.seen.size;
  }

  /** Runs at most `executions` more. Returns whether there is more to do. */
  advance(executions: number): boolean {
    for (let n = 0; n < executions && this.ended === undefined; n += 1) {
      this.execute();
      if (this.ended === undefined && this.executions === this.options.executions) this.ended = 'sampled';
    }
    return this.ended === undefined;
  }

  /** The counterexample, shrunk, once `ended` says that there is one. */
  counterexample(): FullCounterexample | undefined {
    return this.found;
  }

  private execute(): void {
    const { subject } = this;
    const { walkers } = subject.machine;
    this.judge.restart();
    const changes = this.drawPriorities();
    const schedule: number[] = [];
    let last = -1;
    let lastPc = 0;
    let run = 0;
    for (;;) {
      const actor = this.options.draw === 'pct' ? this.highest(changes.get(schedule.length), run > SPIN_MAX ? last : -1) : this.anyone();
      if (actor < 0 || schedule.length === STEPS_MAX) break;
      // Stores that become visible are all one place.
      const pc = subject.isDrain(actor) ? PCS - 1 : walkers[actor]!.pc;
      if (last >= 0 && last !== actor) this.note(lastPc * PCS + pc);
      run = last === actor ? run + 1 : 0;
      last = actor;
      lastPc = pc;
      subject.step(actor);
      schedule.push(actor);
    }
    this.executions += 1;
    this.steps += schedule.length;
    this.longest = Math.max(this.longest, schedule.length);
    if (schedule.length === STEPS_MAX) this.unended += 1;
    this.finish(schedule);
  }

  private note(pair: number): void {
    if (this.seen.has(pair)) return;
    this.seen.add(pair);
    this.lastNewPair = this.executions + 1;
  }

  private anyone(): number {
    const { subject } = this;
    let ready = 0;
    for (let choice = 0; choice < subject.choices; choice += 1) if (subject.isReady(choice)) ready += 1;
    if (ready === 0) return -1;
    let left = this.prng.below(ready);
    for (let choice = 0; choice < subject.choices; choice += 1) {
      if (!subject.isReady(choice)) continue;
      if (left === 0) return choice;
      left -= 1;
    }
    return -1;
  }

  /** A priority for each actor, above those of the moments of change; at each of those the actor that would step gets its. */
  private drawPriorities(): Map<number, number> {
    const { priority, prng } = this;
    const { depth, draw } = this.options;
    const changes = new Map<number, number>();
    if (draw === 'random') return changes;
    for (let i = 0; i < priority.length; i += 1) {
      const j = prng.below(i + 1);
      priority[i] = priority[j]!;
      priority[j] = depth + i;
    }
    for (let i = 1; i < depth; i += 1) changes.set(prng.below(this.longest), i);
    return changes;
  }

  private highest(change: number | undefined, spinner: number): number {
    const { subject, priority } = this;
    if (spinner >= 0) priority[spinner] = Math.min(...priority) - 1;
    const best = (): number => {
      let found = -1;
      for (let choice = 0; choice < subject.choices; choice += 1) {
        if (subject.isReady(choice) && (found < 0 || priority[choice]! > priority[found]!)) found = choice;
      }
      return found;
    };
    const actor = best();
    if (change === undefined || actor < 0) return actor;
    priority[actor] = change;
    return best();
  }

  /** Judges the execution that was just run; one that fails is shortened. */
  private finish(schedule: readonly number[]): void {
    const { subject, judge } = this;
    const found = subject.isStuck ? judge.deadlock(schedule, subject.machine) : judge.judgePlayed(schedule);
    if (found === undefined) return;
    this.found = judge.shortened(found);
    this.ended = 'counterexample';
  }
}
