import type { Damage, EventSink, EventSource, Frame } from './frame.ts';
import { copyRows } from './columns.ts';

/** A log in memory: the sink keeps a copy of every frame, `source` reads them back. The simplest transport. */
export class MemoryLog implements EventSink {
  readonly kept: Frame[] = [];
  private closed = false;

  async write(frame: Frame): Promise<void> {
    if (this.closed) throw new Error('memory log: written to after it was closed');
    this.kept.push({ origin: frame.origin, firstSeq: frame.firstSeq, rows: copyRows(frame.rows) });
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** Reads the frames kept so far, from the first one. */
  source(): EventSource {
    const kept = this.kept;
    return {
      async *frames(): AsyncIterable<Frame | Damage> {
        yield* kept;
      },
      async close(): Promise<void> {},
    };
  }
}
