import type { FileHandle } from 'node:fs/promises';
import type { Schema } from 'apache-arrow';
import type { Damage, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { BatchPlace } from '@s2lab/frame';
import { decodeFrame, decodeSchema, FILE_MAGIC, PREFIX_BYTES, readBodyBytes, readPrefix, releaseFrame } from '@s2lab/frame';
import { ForwardReader } from './forward-reader.ts';
import { LogFileError } from './log-file-error.ts';

/** Most bytes of a schema that a reader accepts: it holds the description of the run. */
const MAX_SCHEMA_BYTES = 1 << 24;

/** Bytes of the footer's length and of the magic after it. */
const FOOTER_TAIL_BYTES = 10;

/** What the beginning and the end of a log file say. */
export interface LogHeader {
  readonly path: string;
  /** Bytes of the file when it was opened. What a running writer adds later is not read. */
  readonly size: number;
  /** Undefined when the file ends before the end of its header: its writer was killed while it made it. */
  readonly content: { readonly schema: Schema; readonly description: string; readonly firstFrame: number } | undefined;
  /** File offset of the end-of-stream mark that a whole footer follows; undefined when the log was not closed. */
  readonly endMark: number | undefined;
}

/** The `count` bytes at `offset`, or as many as the file has. */
async function readAt(file: FileHandle, offset: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let done = 0;
  while (done < count) {
    const { bytesRead } = await file.read(bytes, done, count - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

async function findEndMark(file: FileHandle, size: number): Promise<number | undefined> {
  if (size < FOOTER_TAIL_BYTES) return undefined;
  const tail = await readAt(file, size - FOOTER_TAIL_BYTES, FOOTER_TAIL_BYTES);
  if (!FILE_MAGIC.subarray(0, 6).every((byte, i) => tail[4 + i] === byte)) return undefined;
  const footerBytes = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  const mark = size - FOOTER_TAIL_BYTES - footerBytes - PREFIX_BYTES;
  if (footerBytes <= 0 || mark < FILE_MAGIC.byteLength) return undefined;
  return readPrefix(await readAt(file, mark, PREFIX_BYTES), 0) === 'end' ? mark : undefined;
}

/**
 * Reads and checks the header of a log.
 * @throws LogFileError when the file is no log or a log of another schema version.
 */
export async function readHeader(file: FileHandle, path: string): Promise<LogHeader> {
  const { size } = await file.stat();
  const start = await readAt(file, 0, Math.min(size, FILE_MAGIC.byteLength + PREFIX_BYTES));
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
  const reading = decodeSchema(await readAt(file, FILE_MAGIC.byteLength + PREFIX_BYTES, schemaBytes));
  if ('because' in reading) throw new LogFileError(`log ${path}: ${reading.because}`);
  return { path, size, content: { ...reading, firstFrame }, endMark };
}

/** One item of a log file: what it is and where its message lies; `place` is undefined for what is no message. */
export interface ScannedItem {
  readonly item: Frame | Damage;
  readonly place: BatchPlace | undefined;
}

/**
 * Reads a log forward, message by message, through a bounded window. After damage it goes on where the next message must begin, if one
 * begins there; otherwise the damage reaches to the end of the log, and it is the last item.
 */
export async function* scanLog(file: FileHandle, header: LogHeader): AsyncGenerator<ScannedItem, void> {
  const { path, size, content, endMark } = header;
  const end = endMark ?? size;
  /** Damage from `offset` to the end: cut off when the log was never closed, else something changed it afterwards. */
  const lost = (offset: number, because: string): ScannedItem => ({
    item: {
      damage: endMark === undefined ? 'torn' : 'corrupt',
      where: `${path}, byte ${offset}`,
      because: `${because}; the last ${end - offset} bytes of the log were cut`,
    },
    place: undefined,
  });
  if (content === undefined) {
    yield lost(0, 'the log ends within its header');
    return;
  }
  const reader = new ForwardReader(file, content.firstFrame);
  while (reader.offset < end) {
    const { offset } = reader;
    const left = end - offset;
    if (left < PREFIX_BYTES || (await reader.require(PREFIX_BYTES)) < PREFIX_BYTES)
      return yield lost(offset, 'a frame is cut off within its prefix');
    const prefix = readPrefix(reader.peek(PREFIX_BYTES), 0);
    if (prefix === 'end') return yield lost(offset, 'the log ends within its footer, all frames before are whole');
    if (prefix === undefined) return yield lost(offset, 'no frame begins here');
    const metadataBytes = PREFIX_BYTES + prefix.metadataBytes;
    if (left < metadataBytes || (await reader.require(metadataBytes)) < metadataBytes)
      return yield lost(offset, 'a frame is cut off within its header');
    const bodyBytes = readBodyBytes(reader.peek(metadataBytes).subarray(PREFIX_BYTES));
    if (bodyBytes === undefined) return yield lost(offset, 'a frame claims an impossible length');
    const bytes = metadataBytes + bodyBytes;
    if (left < bytes || (await reader.require(bytes)) < bytes)
      return yield lost(offset, `a frame of ${bytes} bytes is cut off after ${left}`);
    const item = decodeFrame(reader.peek(bytes), `${path}, byte ${offset}`);
    if (isDamage(item) && item.damage === 'corrupt' && left > bytes) {
      const next = await reader.require(bytes + PREFIX_BYTES);
      const follows = next === bytes + PREFIX_BYTES ? readPrefix(reader.peek(next), bytes) : undefined;
      if (follows === undefined) return yield lost(offset, `${item.because}, and no frame begins where it should end`);
    }
    yield { item, place: { offset, metadataBytes, bodyBytes } };
    if (!isDamage(item)) releaseFrame(item);
    reader.skip(bytes);
  }
}
