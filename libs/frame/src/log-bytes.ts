import type { Schema } from 'apache-arrow';
import { FILE_MAGIC } from './arrow-schema.ts';
import { decodeSchema } from './decode-schema.ts';
import { LogFileError } from './log-file-error.ts';
import { PREFIX_BYTES, readPrefix } from './message-layout.ts';

/** The bytes of a log, wherever they are: a file, or what a reader dropped on a page. */
export interface LogBytes {
  /** How many there are now; a writer may add more later. */
  size(): Promise<number>;
  /** The `count` bytes at `offset`, or as many as there are. They share no memory with anything. */
  read(offset: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Most bytes of a schema that a reader accepts: it holds the description of the run. */
const MAX_SCHEMA_BYTES = 1 << 24;

/** Bytes of the footer's length and of the magic after it. */
const FOOTER_TAIL_BYTES = 10;

/** What the beginning and the end of a log file say. */
export interface LogHeader {
  /** The log as messages name it. */
  readonly path: string;
  /** Bytes of the file when it was opened. What a running writer adds later is not read. */
  readonly size: number;
  /** Undefined when the file ends before the end of its header: its writer was killed while it made it. */
  readonly content: { readonly schema: Schema; readonly description: string; readonly firstFrame: number } | undefined;
  /** File offset of the end-of-stream mark that a whole footer follows; undefined when the log was not closed. */
  readonly endMark: number | undefined;
}

async function findEndMark(file: LogBytes, size: number): Promise<number | undefined> {
  if (size < FOOTER_TAIL_BYTES) return undefined;
  const tail = await file.read(size - FOOTER_TAIL_BYTES, FOOTER_TAIL_BYTES);
  if (!FILE_MAGIC.subarray(0, 6).every((byte, i) => tail[4 + i] === byte)) return undefined;
  const footerBytes = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  const mark = size - FOOTER_TAIL_BYTES - footerBytes - PREFIX_BYTES;
  if (footerBytes <= 0 || mark < FILE_MAGIC.byteLength) return undefined;
  return readPrefix(await file.read(mark, PREFIX_BYTES), 0) === 'end' ? mark : undefined;
}

/**
 * Reads and checks the header of a log.
 * @throws LogFileError when the file is no log or a log of another schema version.
 */
export async function readLogHeader(file: LogBytes, path: string): Promise<LogHeader> {
  const size = await file.size();
  const start = await file.read(0, Math.min(size, FILE_MAGIC.byteLength + PREFIX_BYTES));
  if (!FILE_MAGIC.subarray(0, Math.min(size, 8)).every((byte, i) => start[i] === byte)) {
    throw new LogFileError(`log ${path}: this is no event log (it does not begin like an Arrow file)`);
  }
  const endMark = await findEndMark(file, size);
  if (start.byteLength < FILE_MAGIC.byteLength + PREFIX_BYTES) return { path, size, content: undefined, endMark };
  const view = new DataView(start.buffer, start.byteOffset);
  const schemaBytes = view.getUint32(12, true);
  if (view.getUint32(8, true) !== 0xffff_ffff || schemaBytes > MAX_SCHEMA_BYTES || schemaBytes % 8 !== 0) {
    throw new LogFileError(`log ${path}: byte 8: this is no event log (no schema follows the magic)`);
  }
  const firstFrame = FILE_MAGIC.byteLength + PREFIX_BYTES + schemaBytes;
  if (size < firstFrame) return { path, size, content: undefined, endMark };
  const reading = decodeSchema(await file.read(FILE_MAGIC.byteLength + PREFIX_BYTES, schemaBytes));
  if ('because' in reading) throw new LogFileError(`log ${path}: ${reading.because}`);
  return { path, size, content: { ...reading, firstFrame }, endMark };
}
