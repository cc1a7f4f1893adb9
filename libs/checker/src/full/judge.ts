import { isTable } from '@s2lab/arch';
import type { Machine, MachineSnapshot } from '@s2lab/engine';
import { MachineSnapshots } from '@s2lab/engine';
import type { Frame, FrameOrigin } from '@s2lab/events';
import { copyRows } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import { RULES, Verifier } from '@s2lab/invariants';
import type { FullCounterexample } from './full-counterexample.ts';
import { deadlockWords } from './full-counterexample.ts';
import type { Subject } from './subject.ts';

/** Every leaf of the stage-2s, from the roots on. */
function leaves({ world }: Machine): readonly number[] {
  const { pages, shape } = world;
  const found: number[] = [];
  const below = (frame: number, level: number): void => {
    for (let slot = 0; slot < shape.entries; slot += 1) {
      const i = pages.indexOf(frame, slot);
      const lo = pages.descriptors[i]!;
      const hi = pages.descriptors[i + 1]!;
      if (isTable(lo, level)) below(pages.frameOf(lo, hi), level + 1);
      else if (lo !== 0 || hi !== 0) found.push(level, slot, lo, hi);
    }
  };
  for (const stage2 of world.stage2s) {
    if (stage2 !== undefined && stage2.root >= 0)
      for (let page = 0; page < stage2.rootPages; page += 1) below(stage2.root + page, stage2.shape.startLevel);
  }
  return found;
}

/**
 * Judges paths by the verifier's own rules: it plays a path from the start in a machine of its own, and folds the log into a verifier that has
 * never seen the engine.
 */
export class Judge {
  readonly origin: FrameOrigin;
  private readonly subject: Subject;
  private readonly snapshots: MachineSnapshots;
  private readonly start: MachineSnapshot;
  private readonly startSteps: number;
  private readonly startEvents: number;
  private readonly rules: readonly string[];
  private readonly advance: (actor: number) => void;

  /**
   * @param except ids of rules that are not judged
   * @param advance lets an actor of `subject` go on by one choice of the search
   */
  constructor(subject: Subject, workload: string, except: readonly string[], advance: (actor: number) => void) {
    this.subject = subject;
    this.rules = RULES.map(({ id }) => id).filter((id) => !except.includes(id));
    this.snapshots = new MachineSnapshots(this.subject.machine);
    this.start = this.snapshots.take();
    this.startSteps = this.subject.steps;
    this.startEvents = this.subject.machine.columns.length;
    this.advance = advance;
    this.origin = subject.origin(workload);
  }

  /**
   * Plays `schedule` from the start; if it is to the end, then the epilogue too. Returns what is wrong with it, if anything.
   * @param reached the machine of the search, which must have come to the same place
   * @param who each of its actors is in the schedule
   */
  judge(schedule: readonly number[], toTheEnd: boolean, reached: Machine, who: readonly number[]): FullCounterexample | undefined {
    this.play(schedule);
    if (this.violation() !== undefined) return this.soonest(schedule);
    // Who reads in a page that was freed reads what no state keeps; but that is a violation.
    this.compare(schedule, reached, who);
    if (!toTheEnd) return undefined;
    if (leaves(reached).join() !== leaves(this.subject.machine).join())
      throw new Error(`schedule ${schedule.join(',')} maps memory otherwise when it is played from the start`);
    this.subject.end();
    const violation = this.violation();
    return violation === undefined ? undefined : this.broken(violation, schedule);
  }

  /** The first violation in the log of the machine as it is. */
  private violation(): Violation | undefined {
    const verifier = new Verifier({ maxViolations: 1, rules: this.rules });
    verifier.fold({ origin: this.origin, firstSeq: 0, rows: this.subject.machine.columns });
    return verifier.finish().violations[0];
  }

  /** What is wrong with a schedule, as soon as it is: once broken, it stays so however it goes on. */
  private soonest(schedule: readonly number[]): FullCounterexample {
    let holds = 0;
    let breaks = schedule.length;
    while (breaks - holds > 1) {
      const middle = (holds + breaks) >> 1;
      this.play(schedule.slice(0, middle));
      if (this.violation() === undefined) holds = middle;
      else breaks = middle;
    }
    this.play(schedule.slice(0, breaks));
    const violation = this.violation();
    if (violation === undefined) throw new Error('a violation is gone when its schedule is played again');
    this.subject.machine.stop(1);
    return this.broken(violation, schedule.slice(0, breaks));
  }

  private broken({ invariant, because }: Violation, schedule: readonly number[]): FullCounterexample {
    return { kind: 'violation', invariant, because, schedule, ...this.played() };
  }

  /**
   * What is wrong with a `schedule` that leads where nobody can step and not all are done.
   * @param reached the machine of the search, there
   * @param who each of its actors is in the schedule
   */
  deadlock(schedule: readonly number[], reached: Machine, who: readonly number[]): FullCounterexample {
    const because = deadlockWords(reached, (actor) => who[actor]!);
    return { kind: 'deadlock', invariant: null, because, schedule, ...this.log(schedule) };
  }

  /** The log of `schedule`, stopped where it ends. */
  log(schedule: readonly number[]): { readonly frame: Frame; readonly steps: number } {
    this.play(schedule);
    this.subject.machine.stop(1);
    return this.played();
  }

  /** The log of what was played, and the steps of it. */
  private played(): { readonly frame: Frame; readonly steps: number } {
    const { machine, steps } = this.subject;
    return { frame: { origin: this.origin, firstSeq: 0, rows: copyRows(machine.columns) }, steps: steps - this.startSteps };
  }

  private play(schedule: readonly number[]): void {
    const { subject } = this;
    this.snapshots.restore(this.start);
    subject.steps = this.startSteps;
    subject.machine.columns.length = this.startEvents;
    for (let i = 0; i < schedule.length; i += 1) {
      subject.moved = 0;
      this.advance(schedule[i]!);
    }
  }

  private compare(schedule: readonly number[], reached: Machine, who: readonly number[]): void {
    for (const { actor, pc, blocked } of reached.walkers) {
      const walker = this.subject.machine.walkers[who[actor]!]!;
      if (walker.pc !== pc || walker.blocked !== blocked)
        throw new Error(`schedule ${schedule.join(',')} leads actor ${who[actor]} elsewhere when it is played from the start`);
    }
  }
}
