import type { Frame, FrameOrigin } from './frame.ts';
import { sliceRows } from './columns.ts';

/** Events that never arrived: sequence numbers [expected, found) of one machine. */
export interface Gap {
  readonly origin: FrameOrigin;
  readonly expected: number;
  readonly found: number;
}

/** What to do with a frame: rows that were seen before are cut off, and a gap before it is told. */
export interface Admission {
  /** The frame without its duplicate rows; undefined when all were duplicates. */
  readonly frame: Frame | undefined;
  readonly duplicates: number;
  readonly gap: Gap | undefined;
}

/**
 * Makes at-least-once delivery exactly-once in the reader’s eyes: drops rows by (run, machine, sequence number), reports gaps.
 * Its state is one number per machine, so that it can be checkpointed with the fold.
 */
export class SequenceGuard {
  private readonly next = new Map<string, number>();

  /** Judges one frame and remembers it as read. */
  admit(frame: Frame): Admission {
    const key = `${frame.origin.run}/${frame.origin.machine}`;
    const expected = this.next.get(key) ?? 0;
    const end = frame.firstSeq + frame.rows.length;
    if (end <= expected) return { frame: undefined, duplicates: frame.rows.length, gap: undefined };
    this.next.set(key, end);
    if (frame.firstSeq > expected) {
      return { frame, duplicates: 0, gap: { origin: frame.origin, expected, found: frame.firstSeq } };
    }
    const duplicates = expected - frame.firstSeq;
    if (duplicates === 0) return { frame, duplicates, gap: undefined };
    const rows = sliceRows(frame.rows, duplicates, frame.rows.length);
    return { frame: { origin: frame.origin, firstSeq: expected, rows }, duplicates, gap: undefined };
  }

  /** Next expected sequence number by `run/machine`, for a checkpoint. */
  positions(): ReadonlyMap<string, number> {
    return this.next;
  }

  /** Forgets a machine that will not come again, by `run/machine`. */
  forget(key: string): void {
    this.next.delete(key);
  }

  /** Goes on from the positions of a checkpoint. */
  restore(positions: Iterable<readonly [string, number]>): void {
    this.next.clear();
    for (const [key, seq] of positions) this.next.set(key, seq);
  }
}
