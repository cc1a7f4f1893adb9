import { isTable } from '@s2lab/arch';
import type { Machine, MachineSnapshot } from '@s2lab/engine';
import { MachineSnapshots } from '@s2lab/engine';
import type { Frame, FrameOrigin } from '@s2lab/events';
import { copyRows, sliceRows } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import { RULES, Verifier } from '@s2lab/invariants';
import type { FullCounterexample } from './full-counterexample.ts';
import { deadlockWords } from './full-counterexample.ts';
import { shrink } from './shrink.ts';
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

/** Somewhere on a path: the machine and the verifier, as they were there. */
interface Place {
  readonly schedule: readonly number[];
  readonly machine: MachineSnapshot;
  readonly steps: number;
  readonly events: number;
  /** Takes the verifier there. */
  readonly rewind: () => void;
}

/** How much of a path is kept for those that begin as it does, and the least that is worth keeping, in choices. */
const KEPT_PART = 0.6;
const KEPT_LEAST = 6;

function beginsWith(schedule: readonly number[], part: readonly number[]): boolean {
  for (let i = 0; i < part.length; i += 1) if (schedule[i] !== part[i]) return false;
  return true;
}

/**
 * Judges paths by the verifier's own rules: it plays a path from the start in a machine of its own, and folds the log into a verifier that has
 * never seen the engine. Most paths begin as the one before them did: the greater part of one is kept, and played and folded no more.
 */
export class Judge {
  readonly origin: FrameOrigin;
  private readonly subject: Subject;
  private readonly snapshots: MachineSnapshots;
  private readonly verifier: Verifier;
  private readonly start: Place;
  /** The greater part of a path that was judged before. */
  private kept: Place;
  /** The path that was judged last. */
  private last: readonly number[] = [];
  private readonly advance: (actor: number) => void;

  /**
   * @param except ids of rules that are not judged
   * @param advance lets an actor of `subject` go on by one choice of the search
   */
  constructor(subject: Subject, workload: string, except: readonly string[], advance: (actor: number) => void) {
    this.subject = subject;
    this.snapshots = new MachineSnapshots(this.subject.machine);
    this.advance = advance;
    this.origin = subject.origin(workload);
    this.verifier = new Verifier({ maxViolations: 1, rules: RULES.map(({ id }) => id).filter((id) => !except.includes(id)) });
    this.fold(0);
    this.start = this.place([]);
    this.kept = this.start;
  }

  /**
   * Plays `schedule` from the start; if it is to the end, then the epilogue too. Returns what is wrong with it, if anything.
   * @param reached the machine of the search, which must have come to the same place
   * @param who each of its actors is in the schedule
   */
  judge(schedule: readonly number[], toTheEnd: boolean, reached: Machine, who: readonly number[]): FullCounterexample | undefined {
    const from = this.placeBefore(schedule);
    this.last = schedule.slice();
    this.play(schedule, from);
    if (this.violation(from) !== undefined) return this.soonest(schedule);
    // Who reads in a page that was freed reads what no state keeps; but that is a violation.
    this.compare(schedule, reached, who);
    if (!toTheEnd) return undefined;
    if (leaves(reached).join() !== leaves(this.subject.machine).join())
      throw new Error(`schedule ${schedule.join(',')} maps memory otherwise when it is played from the start`);
    this.subject.end();
    const violation = this.violation(from);
    if (violation === undefined) return undefined;
    // The log is to have all of it.
    this.play(schedule);
    this.subject.end();
    return this.broken(violation, schedule);
  }

  /** Takes the machine to the start, for somebody else to play. */
  restart(): void {
    this.play([]);
  }

  /** What is wrong, if anything, with the `schedule` that somebody else has played since the start; if all are done, with the epilogue too. */
  judgePlayed(schedule: readonly number[]): FullCounterexample | undefined {
    if (this.subject.machine.done) this.subject.end();
    const violation = this.violation(this.start);
    return violation === undefined ? undefined : this.broken(violation, schedule);
  }

  /** Where to play a schedule from. If it shares its greater part with the last one, that is kept. */
  private placeBefore(schedule: readonly number[]): Place {
    const { kept, start, last } = this;
    if (2 * kept.schedule.length >= schedule.length && beginsWith(schedule, kept.schedule)) return kept;
    const part = schedule.slice(0, KEPT_PART * schedule.length);
    if (part.length < KEPT_LEAST || !beginsWith(last, part)) return start;
    this.play(part);
    if (this.violation(start) !== undefined) return start;
    this.kept = this.place(part);
    return this.kept;
  }

  /** The place to which `schedule` has led the machine, and the verifier. */
  private place(schedule: readonly number[]): Place {
    const { steps, machine } = this.subject;
    return { schedule, machine: this.snapshots.take(), steps, events: machine.columns.length, rewind: this.verifier.bookmark() };
  }

  /** The first violation in the log of the machine, which was played from there. */
  private violation({ rewind, events }: Place): Violation | undefined {
    rewind();
    this.fold(events);
    return this.verifier.finish().violations[0];
  }

  /** Folds the log of the machine from event `firstSeq` on. */
  private fold(firstSeq: number): void {
    const { columns } = this.subject.machine;
    this.verifier.fold({ origin: this.origin, firstSeq, rows: sliceRows(columns, firstSeq, columns.length) });
  }

  /** What is wrong with a schedule, as soon as it is: once broken, it stays so however it goes on. */
  private soonest(schedule: readonly number[]): FullCounterexample {
    let holds = 0;
    let breaks = schedule.length;
    while (breaks - holds > 1) {
      const middle = (holds + breaks) >> 1;
      this.play(schedule.slice(0, middle));
      if (this.violation(this.start) === undefined) holds = middle;
      else breaks = middle;
    }
    this.play(schedule.slice(0, breaks));
    const violation = this.violation(this.start);
    if (violation === undefined) throw new Error('a violation is gone when its schedule is played again');
    this.subject.machine.stop(1);
    return this.broken(violation, schedule.slice(0, breaks));
  }

  /**
   * A counterexample by fewer choices, of which not a single one can be left out: a violation of the same rule, or a deadlock without one. A violation that shows at the end alone
   * stays as it is, and so does a loop.
   */
  shortened(found: FullCounterexample): FullCounterexample {
    const { start, subject } = this;
    const isDeadlock = found.kind === 'deadlock';
    const fails = (schedule: readonly number[]): boolean => {
      this.attempt(schedule);
      return (!isDeadlock || subject.isStuck) && this.violation(start)?.invariant === (found.invariant ?? undefined);
    };
    if ((found.kind !== 'violation' && !isDeadlock) || !fails(found.schedule)) return found;
    const least = this.attempt(shrink(found.schedule, fails));
    return isDeadlock ? this.deadlock(least, subject.machine) : this.soonest(least);
  }

  /** Plays a schedule from the start as far as it can be: who cannot step is passed over. Returns the choices that were made. */
  private attempt(schedule: readonly number[]): readonly number[] {
    this.play([]);
    return schedule.filter((choice) => {
      if (!this.subject.isReady(choice)) return false;
      this.choose(choice);
      return true;
    });
  }

  private broken({ invariant, because }: Violation, schedule: readonly number[]): FullCounterexample {
    return { kind: 'violation', invariant, because, schedule, ...this.played() };
  }

  /**
   * What is wrong with a `schedule` that leads where nobody can step and not all are done.
   * @param reached the machine of the search, there
   * @param who each of its actors is in the schedule; absent = itself
   */
  deadlock(schedule: readonly number[], reached: Machine, who?: readonly number[]): FullCounterexample {
    const because = deadlockWords(reached, (actor) => who?.[actor] ?? actor);
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
    return { frame: { origin: this.origin, firstSeq: 0, rows: copyRows(machine.columns) }, steps: steps - this.start.steps };
  }

  /** Plays a schedule that begins as the one of `from`. */
  private play(schedule: readonly number[], from: Place = this.start): void {
    const { subject } = this;
    this.snapshots.restore(from.machine);
    subject.steps = from.steps;
    subject.machine.columns.length = from.events;
    for (let i = from.schedule.length; i < schedule.length; i += 1) this.choose(schedule[i]!);
  }

  private choose(choice: number): void {
    this.subject.moved = 0;
    this.advance(choice);
  }

  private compare(schedule: readonly number[], reached: Machine, who: readonly number[]): void {
    for (const { actor, pc, blocked } of reached.walkers) {
      const walker = this.subject.machine.walkers[who[actor]!]!;
      if (walker.pc !== pc || walker.blocked !== blocked)
        throw new Error(`schedule ${schedule.join(',')} leads actor ${who[actor]} elsewhere when it is played from the start`);
    }
  }
}
