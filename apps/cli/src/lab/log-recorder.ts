import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { EventSink, Frame } from '@s2lab/events';
import type { RecordingState } from '@s2lab/explorer';
import { FileSink } from '@s2lab/transport-file';
import { byteText } from '../progress.ts';

/** A log that stops growing at a limit, or when the disk refuses: aloud, and the lab goes on without it. */
export class LogRecorder implements EventSink {
  readonly path: string;
  private readonly maxBytes: number;
  private readonly announce: (line: string) => void;
  private readonly sink: FileSink;
  private ended: { readonly state: 'stopped' | 'complete'; readonly because: string } | undefined;
  /** Why recording ended before the lab did; undefined when it did not. */
  failure: string | undefined;

  private constructor(path: string, maxBytes: number, announce: (line: string) => void, sink: FileSink) {
    this.path = path;
    this.maxBytes = maxBytes;
    this.announce = announce;
    this.sink = sink;
  }

  /** Makes the log, and its folder if there is none. @throws LogFileError when it cannot be made */
  static async create(
    path: string,
    description: string,
    maxBytes: number,
    force: boolean,
    announce: (line: string) => void,
  ): Promise<LogRecorder> {
    await mkdir(dirname(path), { recursive: true });
    return new LogRecorder(path, maxBytes, announce, await FileSink.create(path, { description, overwrite: force }));
  }

  get byteCount(): number {
    return this.sink.byteCount;
  }

  /** How the recording stands, for the page. */
  state(): RecordingState {
    return { state: this.ended?.state ?? 'recording', path: this.path, bytes: this.byteCount, because: this.ended?.because ?? '' };
  }

  async write(frame: Frame): Promise<void> {
    if (this.ended !== undefined) return;
    try {
      await this.sink.write(frame);
    } catch (error) {
      await this.stop((error as Error).message);
      return;
    }
    if (this.byteCount >= this.maxBytes) await this.stop(`the log reached its limit of ${byteText(this.maxBytes)} (--max-log-bytes)`);
  }

  async close(): Promise<void> {
    if (this.ended !== undefined) return;
    this.ended = { state: 'complete', because: '' };
    await this.sink.close();
  }

  private async stop(because: string): Promise<void> {
    this.ended = { state: 'stopped', because };
    this.failure = because;
    this.announce(`recording stopped: ${because}; the lab goes on without a log, ${this.path} holds all events before`);
    await this.sink.close().catch(() => {}); // whatever kept us from writing keeps us from closing; the frames are there
  }
}
