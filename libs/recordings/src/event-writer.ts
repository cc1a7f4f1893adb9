import type { Frame, FrameOrigin } from '@s2lab/events';
import { EventColumns, FRAME_ROWS } from '@s2lab/events';

/** Actors of an imported machine: walkers 0…7 are vCPUs, then the thread of sequential operations, then the reclaim worker. */
export const ACTOR = { vcpus: 8, thread: 8, worker: 9 } as const;

/** VMID of the stage-2 of a machine that has one. */
const STAGE2 = 1;

/** Appends events with the current actor and walk; full frames are taken by `take`. One event a nanosecond of virtual time. */
export class EventWriter {
  origin: FrameOrigin;
  actor: number = ACTOR.thread;
  walk = 0;
  /** VMID of the stage-2 that the next events concern. */
  stage2: number = STAGE2;
  private columns = new EventColumns(FRAME_ROWS);
  private readonly full: Frame[] = [];
  private firstSeq = 0;

  constructor(origin: FrameOrigin) {
    this.origin = origin;
  }

  /** Events written so far. */
  get written(): number {
    return this.firstSeq + this.columns.length;
  }

  /** Appends one event. Halves are 32-bit numbers, `ipa` bytes. */
  emit(
    kind: number,
    level: number,
    slot: number,
    table: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    this.columns.append(
      kind,
      this.written,
      this.actor,
      this.walk,
      this.stage2,
      level,
      slot,
      table,
      oldLo,
      oldHi,
      newLo,
      newHi,
      ipa,
      arg,
      aux,
    );
    if (this.columns.length === this.columns.capacity) this.cut();
  }

  /** An event with two arguments and nothing else. */
  note(kind: number, arg: number, aux = 0): void {
    this.emit(kind, 0, 0, 0, 0, 0, 0, 0, 0, arg, aux);
  }

  /** Ends the frame under construction, if it has rows. */
  cut(): void {
    if (this.columns.length === 0) return;
    this.full.push({ origin: this.origin, firstSeq: this.firstSeq, rows: this.columns });
    this.firstSeq += this.columns.length;
    this.columns = new EventColumns(FRAME_ROWS);
  }

  /** The next finished frame, or undefined. */
  take(): Frame | undefined {
    return this.full.shift();
  }
}
