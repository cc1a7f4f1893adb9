import type { FileHandle } from 'node:fs/promises';
import { open, unlink } from 'node:fs/promises';
import type { EventSink, Frame } from '@s2lab/events';
import type { BatchPlace } from '@s2lab/frame';
import {
  arrowSchema,
  encodeFileEnd,
  encodeFrame,
  encodeSchemaMessage,
  FILE_MAGIC,
  LogFileError,
  PREFIX_BYTES,
  readPrefix,
  reasonOf,
} from '@s2lab/frame';

/** How a log file is made. */
export interface FileSinkOptions {
  /** JSON text that says what the run was; kept in the schema's metadata. */
  readonly description?: string;
  /** Replace a file of that name. Without it, an existing file is an error. */
  readonly overwrite?: boolean;
}

/**
 * Writes frames of any number of machines into one Arrow IPC file. Every frame is one `write` to the operating system, so a killed
 * process loses no frame whose write resolved; `close` adds the footer with which pyarrow and DuckDB open the file.
 */
export class FileSink implements EventSink {
  private readonly places: BatchPlace[] = [];
  private readonly path: string;
  private readonly description: string;
  private readonly file: FileHandle;
  private position: number;
  private last: Promise<void> = Promise.resolve();
  private failure: LogFileError | undefined;
  private closing: Promise<void> | undefined;

  private constructor(path: string, description: string, file: FileHandle, position: number) {
    this.path = path;
    this.description = description;
    this.file = file;
    this.position = position;
  }

  /**
   * Makes the file and writes magic and schema.
   * @throws LogFileError when the file exists and `overwrite` is not set, or when it cannot be made.
   */
  static async create(path: string, options: FileSinkOptions = {}): Promise<FileSink> {
    const description = options.description ?? '{}';
    let file: FileHandle;
    try {
      file = await open(path, options.overwrite === true ? 'w' : 'wx');
    } catch (cause) {
      const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
      const because = exists
        ? 'exists already; choose another name, or say that it may be overwritten'
        : `cannot be made (${reasonOf(cause)})`;
      throw new LogFileError(`log ${path}: ${because}`, { cause });
    }
    const schema = encodeSchemaMessage(arrowSchema(description));
    const header = new Uint8Array(FILE_MAGIC.byteLength + schema.byteLength);
    header.set(FILE_MAGIC);
    header.set(schema, FILE_MAGIC.byteLength);
    try {
      await writeWhole(file, header, 0);
    } catch (cause) {
      await file.close();
      if (options.overwrite !== true) await unlink(path).catch(() => {}); // a file that we made and that holds nothing
      throw new LogFileError(`log ${path}: its header cannot be written (${reasonOf(cause)})`, { cause });
    }
    return new FileSink(path, description, file, header.byteLength);
  }

  /** Frames written so far. */
  get frameCount(): number {
    return this.places.length;
  }

  /** Bytes of the file so far. */
  get byteCount(): number {
    return this.position;
  }

  /**
   * Appends a frame; resolves when the operating system has it.
   * @throws LogFileError when it cannot be written: the file then ends after the last whole frame, and this and all later writes reject.
   */
  async write(frame: Frame): Promise<void> {
    if (this.closing !== undefined) throw new LogFileError(`log ${this.path}: written to after it was closed`);
    const message = encodeFrame(frame);
    const written = this.last.then(() => this.append(message, frame));
    this.last = written.catch(() => {}); // The caller of this write hears of it; the later ones through `failure`.
    return written;
  }

  /**
   * Writes the footer and waits until all of the file is on the disk.
   * @throws LogFileError when that fails; the frames can be read all the same.
   */
  async close(): Promise<void> {
    this.closing ??= this.last.then(() => this.finish());
    return this.closing;
  }

  private async append(message: Uint8Array, frame: Frame): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    try {
      await writeWhole(this.file, message, this.position);
    } catch (cause) {
      this.failure = new LogFileError(
        `log ${this.path}: the frame of machine ${frame.origin.machine} from event ${frame.firstSeq} on cannot be written at byte ${this.position} ` +
          `(${reasonOf(cause)}); the log ends with the ${this.places.length} frames before it`,
        { cause },
      );
      // What part of the frame got through would be a torn tail; without it, the log is whole up to here.
      await this.file.truncate(this.position).catch(() => {});
      throw this.failure;
    }
    const prefix = readPrefix(message, 0) as { metadataBytes: number };
    const metadataBytes = PREFIX_BYTES + prefix.metadataBytes;
    this.places.push({ offset: this.position, metadataBytes, bodyBytes: message.byteLength - metadataBytes });
    this.position += message.byteLength;
  }

  private async finish(): Promise<void> {
    try {
      const end = encodeFileEnd(arrowSchema(this.description), this.places);
      await writeWhole(this.file, end, this.position);
      await this.file.sync();
    } catch (cause) {
      await this.file.truncate(this.position).catch(() => {});
      throw new LogFileError(
        `log ${this.path}: its footer cannot be written (${reasonOf(cause)}); its ${this.places.length} frames can be read, and repaired into a whole file`,
        { cause },
      );
    } finally {
      await this.file.close();
    }
  }
}

/** Writes all of `bytes` at `position`: with one call, unless the operating system takes only a part. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}
