import type { Damage, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { IndexedFrame, IndexedLog } from '@s2lab/frame';
import { MachineView, TimelineError } from '@s2lab/timeline';
import type { CheckpointPlace, CheckpointStore } from './checkpoints.ts';

/** Decoded frames kept: 3 MiB each. */
const FRAMES_KEPT = 8;

/** A machine of a log. */
export interface LoggedMachine {
  readonly run: string;
  readonly machine: number;
  readonly policy: string;
  readonly machineKind: string;
  readonly workload: string;
  /** Number of events, as far as they follow each other. */
  readonly events: number;
}

/**
 * A log in which any event of any machine can be gone to. With checkpoints a seek restores the nearest one before the event and folds what
 * follows; without, it folds from the first event.
 */
export class LogSeeker {
  readonly log: IndexedLog;
  /** Undefined until there are any. */
  checkpoints: CheckpointStore | undefined;
  private readonly tell: (line: string) => void;
  private readonly byMachine = new Map<string, { readonly places: IndexedFrame[]; machine: LoggedMachine }>();
  private readonly decoded = new Map<number, Frame | Damage>();
  private seen = 0;

  /** @param tell hears, line by line, of damage in the log and of checkpoints that do not fit it */
  constructor(log: IndexedLog, tell: (line: string) => void) {
    this.log = log;
    this.tell = tell;
    this.note();
  }

  /** The machines, by number. */
  get machines(): readonly LoggedMachine[] {
    return Array.from(this.byMachine.values(), ({ machine }) => machine).toSorted(
      (a, b) => a.machine - b.machine || (a.run < b.run ? -1 : 1),
    );
  }

  /** Looks for what a writer has added. @returns whether there is more */
  async grow(): Promise<boolean> {
    await this.log.grow();
    return this.note();
  }

  /**
   * The machine as it is when event `seq` has happened, in a view of its own.
   * @param from a view of the machine to go on from, which becomes the answer; one that is past the event is not used
   * @throws TimelineError when the machine has no such event, or when events before it are missing or damaged
   */
  async viewAt(machine: LoggedMachine, seq: number, from?: MachineView): Promise<MachineView> {
    const places = this.framesOf(machine);
    const last = places.at(-1);
    const end = last === undefined ? 0 : last.firstSeq + last.count;
    if (seq >= end) throw new TimelineError(`machine ${machine.machine} has no event ${seq}: its last is ${end - 1}`);
    const view = await this.nearest(machine, seq, from);
    for (const place of places) {
      if (place.firstSeq > seq) break;
      if (place.firstSeq + place.count <= view.nextSeq) continue;
      const frame = await this.read(place);
      if (isDamage(frame)) throw new TimelineError(`${frame.damage}: ${frame.where}: ${frame.because}; what follows it cannot be rebuilt`);
      view.fold(frame.rows, frame.firstSeq, seq);
    }
    return view;
  }

  /** The event before which the last checkpoint up to event `seq` stands; 0 when there is none. */
  checkpointBefore({ run, machine }: LoggedMachine, seq: number): number {
    return this.placeBefore(run, machine, seq)?.nextSeq ?? 0;
  }

  private placeBefore(run: string, machine: number, seq: number): CheckpointPlace | undefined {
    return this.checkpoints?.places.findLast((place) => place.run === run && place.machine === machine && place.nextSeq <= seq + 1);
  }

  private async nearest({ run, machine }: LoggedMachine, seq: number, from: MachineView | undefined): Promise<MachineView> {
    const usable = from !== undefined && from.nextSeq <= seq + 1 ? from : undefined;
    const best = this.placeBefore(run, machine, seq);
    if (best === undefined || best.nextSeq <= (usable?.nextSeq ?? 0)) return usable ?? new MachineView();
    const view = await this.checkpoints!.read(best);
    if (view === undefined)
      this.tell(`${this.log.path}.checkpoints: the checkpoint at event ${best.nextSeq} is damaged; s2lab index makes it anew`);
    return view ?? usable ?? new MachineView();
  }

  /** Reads a frame of the log; the last few that were read stay decoded. */
  async read(place: IndexedFrame): Promise<Frame | Damage> {
    const known = this.decoded.get(place.offset);
    const frame = known ?? (await this.log.read(place));
    this.decoded.delete(place.offset);
    this.decoded.set(place.offset, frame);
    if (this.decoded.size > FRAMES_KEPT) this.decoded.delete(this.decoded.keys().next().value!);
    return frame;
  }

  /** The frames of a machine that hold events of [from, to), in order; damage is told and left out. */
  async *frames(machine: LoggedMachine, from = 0, to = Infinity): AsyncGenerator<Frame> {
    for (const place of this.framesOf(machine)) {
      if (place.firstSeq >= to || place.firstSeq + place.count <= from) continue;
      const frame = await this.read(place);
      if (isDamage(frame)) this.tell(`${frame.damage}: ${frame.where}: ${frame.because}`);
      else yield frame;
    }
  }

  /** Where the frames of a machine are, in the order of the log. */
  framesOf({ run, machine }: LoggedMachine): readonly IndexedFrame[] {
    return this.byMachine.get(`${run}/${machine}`)?.places ?? [];
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  private note(): boolean {
    const { frames } = this.log;
    const more = frames.length > this.seen;
    for (; this.seen < frames.length; this.seen += 1) {
      const place = frames[this.seen]!;
      const { run, machine, policy, machineKind, workload, firstSeq, count } = place;
      const key = `${run}/${machine}`;
      let known = this.byMachine.get(key);
      if (known === undefined)
        this.byMachine.set(key, (known = { places: [], machine: { run, machine, policy, machineKind, workload, events: 0 } }));
      known.places.push(place);
      known.machine = { ...known.machine, events: Math.max(known.machine.events, firstSeq + count) };
    }
    return more;
  }
}
