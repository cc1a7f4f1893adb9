import type { Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { MachineView, TimelineError } from '@s2lab/timeline';
import type { IndexedFrame } from '@s2lab/transport-file';
import { IndexedLog } from '@s2lab/transport-file';
import { CheckpointFile, CheckpointWriter, checkpointPath, packView } from './checkpoint-file.ts';

/** Fewest events of a machine between two checkpoints: what a seek folds at most, as long as the budget allows. */
const SPACING_EVENTS = 250_000;
/** Share of the log's bytes that checkpoints may take. */
const BUDGET = 0.045;

/** A machine of a log. */
export interface LoggedMachine {
  readonly run: string;
  readonly machine: number;
  /** Number of events, as far as they follow each other. */
  readonly events: number;
}

/** What was built beside a log. */
export interface BuiltCheckpoints {
  readonly path: string;
  readonly checkpoints: number;
  readonly bytes: number;
}

/**
 * A log file in which any event of any machine can be gone to. With checkpoints beside the log a seek restores the nearest one before the
 * event and folds what follows; without, it folds from the first event.
 */
export class LogTimeline {
  readonly log: IndexedLog;
  readonly machines: readonly LoggedMachine[];
  private checkpoints: CheckpointFile | undefined;
  private readonly tell: (line: string) => void;

  private constructor(log: IndexedLog, tell: (line: string) => void) {
    this.log = log;
    this.tell = tell;
    this.machines = machinesOf(log.frames);
  }

  /**
   * @param tell hears, line by line, of damage in the log and of checkpoints that do not fit it
   * @throws LogFileError when there is no such log
   */
  static async open(path: string, tell: (line: string) => void): Promise<LogTimeline> {
    const log = await IndexedLog.open(path);
    for (const { damage, where, because } of log.damages) tell(`${damage}: ${where}: ${because}`);
    return new LogTimeline(log, tell);
  }

  /**
   * Makes sure that checkpoints are there: opens those beside the log, or builds them.
   * A folder that cannot be written to is told, and seeks then fold from the first event.
   * @param onProgress hears how many events were folded
   */
  async requireCheckpoints(rebuild = false, onProgress: (events: number) => void = () => {}): Promise<BuiltCheckpoints | undefined> {
    const path = checkpointPath(this.log.path);
    if (!rebuild) {
      const found = await CheckpointFile.open(path, this.log);
      if (found instanceof CheckpointFile) {
        this.checkpoints = found;
        return undefined;
      }
      if (!found.missing) this.tell(`${path}: ${found.because}; building them anew`);
    }
    let writer: CheckpointWriter;
    try {
      writer = await CheckpointWriter.create(path);
    } catch (error) {
      this.tell(`${path}: cannot be made (${(error as Error).message}); every seek folds the log from its first event`);
      return undefined;
    }
    try {
      await this.build(writer, onProgress);
      await writer.close(this.log);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    const built = await CheckpointFile.open(path, this.log);
    if (built instanceof CheckpointFile) this.checkpoints = built;
    return { path, checkpoints: writer.count, bytes: writer.byteCount };
  }

  private async build(writer: CheckpointWriter, onProgress: (events: number) => void): Promise<void> {
    const tracks = new Map<string, { view: MachineView; since: number; budget: number; size: number; broken: boolean }>();
    let events = 0;
    for (const place of this.log.frames) {
      const key = `${place.run}/${place.machine}`;
      let track = tracks.get(key);
      if (track === undefined) tracks.set(key, (track = { view: new MachineView(), since: 0, budget: 0, size: 0, broken: false }));
      if (track.broken) continue;
      const frame = await this.log.read(place);
      if (isDamage(frame)) {
        track.broken = true;
        continue;
      }
      try {
        track.view.fold(frame.rows, frame.firstSeq);
      } catch (error) {
        if (!(error instanceof TimelineError)) throw error;
        track.broken = true; // Who seeks behind the gap is told.
        continue;
      }
      events += place.count;
      onProgress(events);
      track.budget += place.bytes * BUDGET;
      track.since += place.count;
      if (track.since < SPACING_EVENTS || track.budget < track.size || track.view.world === undefined) continue;
      const packed = packView(track.view);
      track.size = packed.byteLength;
      if (track.size > track.budget) continue;
      await writer.add(place.run, place.machine, track.view.nextSeq, packed);
      track.budget -= track.size;
      track.since = 0;
    }
  }

  /**
   * The machine as it is when event `seq` has happened.
   * @throws TimelineError when the machine has no such event, or when events before it are missing or damaged
   */
  async viewAt(machine: LoggedMachine, seq: number): Promise<MachineView> {
    const places = this.framesOf(machine);
    const last = places.at(-1);
    const end = last === undefined ? 0 : last.firstSeq + last.count;
    if (seq >= end) throw new TimelineError(`machine ${machine.machine} has no event ${seq}: its last is ${end - 1}`);
    const view = await this.nearest(machine, seq);
    for (const place of places) {
      if (place.firstSeq > seq) break;
      if (place.firstSeq + place.count <= view.nextSeq) continue;
      const frame = await this.log.read(place);
      if (isDamage(frame)) throw new TimelineError(`${frame.damage}: ${frame.where}: ${frame.because}; what follows it cannot be rebuilt`);
      view.fold(frame.rows, frame.firstSeq, seq);
    }
    return view;
  }

  private async nearest({ run, machine }: LoggedMachine, seq: number): Promise<MachineView> {
    const best = this.checkpoints?.places.findLast((place) => place.run === run && place.machine === machine && place.nextSeq <= seq + 1);
    if (best === undefined) return new MachineView();
    const view = await this.checkpoints!.read(best);
    if (view === undefined)
      this.tell(`${checkpointPath(this.log.path)}: the checkpoint at event ${best.nextSeq} is damaged; s2lab index makes it anew`);
    return view ?? new MachineView();
  }

  /** The frames of a machine that hold events of [from, to), in order; damage is told and left out. */
  async *frames(machine: LoggedMachine, from = 0, to = Infinity): AsyncGenerator<Frame> {
    for (const place of this.framesOf(machine)) {
      if (place.firstSeq >= to || place.firstSeq + place.count <= from) continue;
      const frame = await this.log.read(place);
      if (isDamage(frame)) this.tell(`${frame.damage}: ${frame.where}: ${frame.because}`);
      else yield frame;
    }
  }

  private framesOf({ run, machine }: LoggedMachine): readonly IndexedFrame[] {
    return this.log.frames.filter((frame) => frame.machine === machine && frame.run === run);
  }

  async close(): Promise<void> {
    await this.checkpoints?.close();
    await this.log.close();
  }
}

function machinesOf(frames: readonly IndexedFrame[]): LoggedMachine[] {
  const found = new Map<string, { run: string; machine: number; events: number }>();
  for (const { run, machine, firstSeq, count } of frames) {
    const key = `${run}/${machine}`;
    const known = found.get(key) ?? { run, machine, events: 0 };
    known.events = Math.max(known.events, firstSeq + count);
    found.set(key, known);
  }
  return [...found.values()].toSorted((a, b) => a.machine - b.machine || (a.run < b.run ? -1 : 1));
}
