import type { Machine, MachineSnapshot } from '@s2lab/engine';
import { MachineSnapshots } from '@s2lab/engine';
import type { Frame, FrameOrigin } from '@s2lab/events';
import { copyRows } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import { RULES, Verifier } from '@s2lab/invariants';
import type { Subject } from './subject.ts';

/** A path through the search that breaks a rule: its log, and the first violation in it. */
export interface Broken {
  readonly violation: Violation;
  readonly frame: Frame;
  /** Steps that the machine made after the prologue. */
  readonly steps: number;
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
   */
  judge(schedule: readonly number[], toTheEnd: boolean, reached: Machine): Broken | undefined {
    this.play(schedule, toTheEnd, reached);
    const { machine, steps } = this.subject;
    const frame: Frame = { origin: this.origin, firstSeq: 0, rows: machine.columns };
    const verifier = new Verifier({ maxViolations: 1, rules: this.rules });
    verifier.fold(frame);
    const violation = verifier.finish().violations[0];
    if (violation === undefined) return undefined;
    const made = steps - this.startSteps;
    if (!toTheEnd) machine.stop(1);
    return { violation, frame: { ...frame, rows: copyRows(machine.columns) }, steps: made };
  }

  /** The log of `schedule`, stopped where it ends. */
  log(schedule: readonly number[]): { readonly frame: Frame; readonly steps: number } {
    this.play(schedule, false, undefined);
    const { machine, steps } = this.subject;
    machine.stop(1);
    return { frame: { origin: this.origin, firstSeq: 0, rows: copyRows(machine.columns) }, steps: steps - this.startSteps };
  }

  private play(schedule: readonly number[], toTheEnd: boolean, reached: Machine | undefined): void {
    const { subject } = this;
    const { machine } = subject;
    this.snapshots.restore(this.start);
    subject.steps = this.startSteps;
    machine.columns.length = this.startEvents;
    for (let i = 0; i < schedule.length; i += 1) {
      subject.moved = 0;
      this.advance(schedule[i]!);
    }
    reached?.walkers.forEach(({ actor, pc, blocked }) => {
      const walker = machine.walkers[actor]!;
      if (walker.pc !== pc || walker.blocked !== blocked)
        throw new Error(`schedule ${schedule.join(',')} leads actor ${actor} elsewhere when it is played from the start`);
    });
    if (toTheEnd) subject.end();
  }
}
