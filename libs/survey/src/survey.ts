import type { Frame } from '@s2lab/events';
import { isDamage, sliceRows } from '@s2lab/events';
import type { IndexedFrame } from '@s2lab/frame';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import { MachineView, TimelineError } from '@s2lab/timeline';
import type { CheckpointStore } from './checkpoints.ts';
import type { LoggedMachine, LogSeeker } from './log-seeker.ts';
import type { Overview } from './overview.ts';
import { OverviewFold } from './overview.ts';

/** Fewest events of a machine between two checkpoints: what a seek folds at most, as long as the budget allows. */
const SPACING_EVENTS = 250_000;
/** Share of the log's bytes that checkpoints may take. */
const BUDGET = 0.04;

/** What one pass is to find. */
export interface SurveyOptions {
  /** Violations kept with their proofs; all are counted. */
  readonly maxViolations: number;
  /** Further rules, as those of `s2lab verify --profile`. */
  readonly profile?: string | undefined;
}

/** What a survey found, as it is kept beside a log. */
export interface SurveyRecord {
  readonly verdict: Verdict;
  readonly overviews: readonly { readonly run: string; readonly machine: number; readonly overview: Overview }[];
}

/** What a survey follows of one machine. */
interface Track {
  readonly overview: OverviewFold;
  readonly view: MachineView;
  next: number;
  since: number;
  /** Bytes that its next checkpoint may take. */
  budget: number;
  /** What its last checkpoint took. */
  size: number;
  broken: boolean;
}

/**
 * One pass over a log that does what would take three: the verifier judges its events, the timeline's view folds them and leaves
 * checkpoints, and the overview counts them. It may be taken on as the log grows.
 */
export class Survey {
  readonly store: CheckpointStore;
  private readonly seeker: LogSeeker;
  private readonly verifier: Verifier;
  private readonly tracks = new Map<string, Track>();
  /** Frames folded so far, in the order of the log. */
  private folded = 0;

  constructor(seeker: LogSeeker, store: CheckpointStore, options: SurveyOptions) {
    this.seeker = seeker;
    this.store = store;
    const { maxViolations, profile } = options;
    const known = { maxViolations, log: seeker.log.path };
    this.verifier = new Verifier(profile === undefined ? known : { ...known, profile });
  }

  /** Events folded so far, all machines. */
  get events(): number {
    return this.verifier.progress().events;
  }

  /** Whether all frames that the log has now are folded. */
  get complete(): boolean {
    return this.folded === this.seeker.log.frames.length;
  }

  /** Folds the next frame. @returns false when there is none */
  async step(): Promise<boolean> {
    const place = this.seeker.log.frames[this.folded];
    if (place === undefined) return false;
    const item = await this.seeker.log.read(place);
    this.folded += 1;
    if (isDamage(item)) this.verifier.noteDamage(item);
    else await this.fold(item, place);
    return true;
  }

  /**
   * The verdict on what was folded, with what the log's index had to leave out.
   * @param most violations in it at most; absent = all that are kept
   */
  verdict(most: number = Infinity): Verdict {
    const verdict = this.verifier.finish();
    const { damages } = this.seeker.log;
    const torn = damages.find(({ damage }) => damage === 'torn');
    const lost = damages.filter(({ damage }) => damage !== 'torn');
    return {
      ...verdict,
      violations: verdict.violations.slice(0, most),
      verdict: lost.length > 0 && verdict.verdict === 'holds' ? 'unreadable' : verdict.verdict,
      cut: torn === undefined ? verdict.cut : `${torn.where}: ${torn.because}`,
      damage: [...verdict.damage, ...lost],
    };
  }

  /** The overview of a machine so far; undefined before its first frame. */
  overview({ run, machine }: LoggedMachine): Overview | undefined {
    return this.tracks.get(`${run}/${machine}`)?.overview.overview();
  }

  /** All that was found. */
  record(): SurveyRecord {
    const overviews = this.seeker.machines.flatMap((machine) => {
      const overview = this.overview(machine);
      return overview === undefined ? [] : [{ run: machine.run, machine: machine.machine, overview }];
    });
    return { verdict: this.verdict(), overviews };
  }

  private async fold(frame: Frame, place: IndexedFrame): Promise<void> {
    const key = `${place.run}/${place.machine}`;
    let track = this.tracks.get(key);
    if (track === undefined)
      this.tracks.set(
        key,
        (track = { overview: new OverviewFold(), view: new MachineView(), next: 0, since: 0, budget: 0, size: 0, broken: false }),
      );
    this.judge(frame, track);
    if (track.broken) return;
    try {
      track.view.fold(frame.rows, frame.firstSeq);
    } catch (error) {
      if (!(error instanceof TimelineError)) throw error;
      track.broken = true; // Who seeks behind the gap is told.
      return;
    }
    await this.leaveCheckpoint(place, track);
  }

  /** Verifier and overview, bucket by bucket, so that each violation is counted in its own. */
  private judge(frame: Frame, track: Track): void {
    const { origin, firstSeq, rows } = frame;
    const { overview } = track;
    let from = Math.max(0, track.next - firstSeq);
    while (from < rows.length) {
      const to = Math.min(rows.length, overview.endOfBucket(firstSeq + from) - firstSeq);
      const before = this.verifier.violationCount;
      this.verifier.fold({ origin, firstSeq: firstSeq + from, rows: sliceRows(rows, from, to) });
      overview.fold(rows, from, to, firstSeq, this.verifier.violationCount - before);
      from = to;
    }
    track.next = Math.max(track.next, firstSeq + rows.length);
  }

  private async leaveCheckpoint(place: IndexedFrame, track: Track): Promise<void> {
    track.budget += place.bytes * BUDGET;
    track.since += place.count;
    if (track.since < SPACING_EVENTS || track.budget < track.size || track.view.world === undefined) return;
    track.size = await this.store.add(place.run, place.machine, track.view, track.budget);
    if (track.size > track.budget) return;
    track.budget -= track.size;
    track.since = 0;
  }
}
