import { MachineView } from '@s2lab/timeline';
import { viewFromBytes, viewToBytes } from './checkpoints.ts';
import type { LoggedMachine, LogSeeker } from './log-seeker.ts';

/** Events between two footholds: what a step backwards folds at most. */
const STRIDE = 65_536;
/** A foothold is left this far before an event that was jumped to: steps backwards from there fold no more. */
const NEAR = 1024;
/** Bytes of footholds kept; beyond that the farthest goes. */
const BYTES_MAX = 128 * 2 ** 20;

interface Foothold {
  readonly nextSeq: number;
  readonly bytes: Uint8Array;
}

/**
 * Goes to events of a log one after the other. A step to a neighbour costs a fraction of a seek in either direction, because the cursor
 * leaves footholds (snapshots as they are) on its way. One question at a time.
 */
export class LogCursor {
  private readonly seeker: LogSeeker;
  private machine: LoggedMachine | undefined;
  private view = new MachineView();
  /** By place, ascending. */
  private footholds: Foothold[] = [];

  constructor(seeker: LogSeeker) {
    this.seeker = seeker;
  }

  /**
   * The machine as it is when event `seq` has happened. The view is the cursor's own: it is right until the next call.
   * @throws TimelineError as `LogSeeker.viewAt`
   */
  async at(machine: LoggedMachine, seq: number): Promise<MachineView> {
    if (this.machine?.machine !== machine.machine || this.machine.run !== machine.run) {
      this.view = new MachineView();
      this.footholds = [];
    }
    this.machine = machine;
    if (seq + 1 === this.view.nextSeq) return this.view;
    let view = this.start(seq);
    this.view = new MachineView(); // what fails in mid-way must not be gone on from
    const base = Math.max(view.nextSeq, this.seeker.checkpointBefore(machine, seq));
    for (const stop of stops(base, seq)) {
      view = await this.seeker.viewAt(machine, stop, view);
      if (stop < seq) this.leave(view, seq);
    }
    this.view = view;
    return view;
  }

  /** The nearest view at or before event `seq` that is at hand; the cursor's own is used up. */
  private start(seq: number): MachineView {
    const foothold = this.footholds.findLast(({ nextSeq }) => nextSeq <= seq + 1);
    const here = this.view.nextSeq <= seq + 1 ? this.view : new MachineView();
    return foothold === undefined || here.nextSeq + NEAR >= foothold.nextSeq ? here : viewFromBytes(foothold.bytes, this.view);
  }

  private leave(view: MachineView, towards: number): void {
    const { nextSeq } = view;
    if (view.world === undefined || this.footholds.some((known) => known.nextSeq === nextSeq)) return;
    this.footholds = [...this.footholds, { nextSeq, bytes: viewToBytes(view) }].toSorted((a, b) => a.nextSeq - b.nextSeq);
    while (this.footholds.length > 1 && this.footholds.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) > BYTES_MAX) {
      const first = this.footholds[0]!;
      const last = this.footholds.at(-1)!;
      if (towards - first.nextSeq > last.nextSeq - towards) this.footholds.shift();
      else this.footholds.pop();
    }
  }
}

/** Events to halt at on the way to `seq` when the next event to fold is `base`: every STRIDE, NEAR before the end, and the end. */
function stops(base: number, seq: number): number[] {
  const found: number[] = [];
  for (let next = (Math.floor(base / STRIDE) + 1) * STRIDE; next < seq - NEAR; next += STRIDE) found.push(next);
  if (seq - NEAR > base) found.push(seq - NEAR);
  return [...found, seq];
}
