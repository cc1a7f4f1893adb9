import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Damage, Frame } from '@s2lab/events';
import type { FrameHeader } from '@s2lab/frame';
import { PREFIX_BYTES, decodeFrame, readBodyBytes, readFrameHeader, readPrefix } from '@s2lab/frame';
import { openLogFile } from './file-source.ts';
import { LogFileError, reasonOf } from './log-file-error.ts';
import type { LogHeader } from './scan-log.ts';
import { readHeader } from './scan-log.ts';

/** Bytes read of each message to find its header: a frame's header has about 1.4 KiB. */
const LOOK_BYTES = 4096;

/** A frame of a log, found by its header. */
export interface IndexedFrame extends FrameHeader {
  /** Byte offset of its message. */
  readonly offset: number;
  /** Bytes of its message. */
  readonly bytes: number;
}

/**
 * A log file with random access to its frames. Opening reads the headers of all messages and decompresses nothing; the footer is not
 * needed, so that the log of a killed or running writer opens as well.
 */
export class IndexedLog {
  readonly path: string;
  /** Bytes of the file when it was opened. */
  readonly size: number;
  readonly frames: readonly IndexedFrame[];
  /** Where the index had to leave something out. */
  readonly damages: readonly Damage[];
  /**
   * CRC-32 over the headers of all messages, as 8 hexadecimal digits. Each header holds the checksum of its whole message, so two logs
   * with equal size and equal checksum hold equal events.
   */
  readonly checksum: string;
  private readonly file: FileHandle;

  private constructor(file: FileHandle, header: LogHeader) {
    this.file = file;
    this.path = header.path;
    this.size = header.size;
    const found = indexOf(file, header);
    this.frames = found.frames;
    this.damages = found.damages;
    this.checksum = found.checksum;
  }

  /** @throws LogFileError when there is no such file, it is no event log, or one of another schema version. */
  static async open(path: string): Promise<IndexedLog> {
    const file = await openLogFile(path, 'r');
    try {
      return new IndexedLog(file, await readHeader(file, path));
    } catch (cause) {
      await file.close();
      throw cause instanceof LogFileError ? cause : new LogFileError(`log ${path}: cannot be read (${reasonOf(cause)})`, { cause });
    }
  }

  /** Reads and decodes one frame of `frames`. It shares no memory with any other. */
  async read(frame: IndexedFrame): Promise<Frame | Damage> {
    const bytes = Buffer.allocUnsafeSlow(frame.bytes);
    const { bytesRead } = await this.file.read(bytes, 0, frame.bytes, frame.offset);
    return decodeFrame(bytes.subarray(0, bytesRead), `${this.path}, byte ${frame.offset}`);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function indexOf(file: FileHandle, header: LogHeader): { frames: IndexedFrame[]; damages: Damage[]; checksum: string } {
  const { path, size, content, endMark } = header;
  const frames: IndexedFrame[] = [];
  const damages: Damage[] = [];
  const end = endMark ?? size;
  let offset = content?.firstFrame ?? end;
  let sum = 0;
  const look = Buffer.allocUnsafeSlow(PREFIX_BYTES + 65_536);
  while (offset < end) {
    const message = messageAt(file, look, offset, end);
    if (message === undefined) {
      damages.push({
        damage: endMark === undefined ? 'torn' : 'corrupt',
        where: `${path}, byte ${offset}`,
        because: `no whole frame begins here; the last ${end - offset} bytes of the log were cut`,
      });
      break;
    }
    sum = crc32(message.head, sum);
    const found = readFrameHeader(message.head.subarray(PREFIX_BYTES));
    if (found === undefined)
      damages.push({ damage: 'corrupt', where: `${path}, byte ${offset}`, because: 'its header does not say which events it holds' });
    else frames.push({ ...found, offset, bytes: message.bytes });
    offset += message.bytes;
  }
  return { frames, damages, checksum: sum.toString(16).padStart(8, '0') };
}

/** Prefix and header of the message at `offset`, and its length; undefined when no whole message is there. */
function messageAt(file: FileHandle, look: Buffer, offset: number, end: number): { head: Uint8Array; bytes: number } | undefined {
  let there = readSync(file.fd, look, 0, Math.min(LOOK_BYTES, end - offset), offset);
  if (there < PREFIX_BYTES) return undefined;
  const prefix = readPrefix(look, 0);
  if (prefix === undefined || prefix === 'end') return undefined;
  const headBytes = PREFIX_BYTES + prefix.metadataBytes;
  if (there < headBytes) there += readSync(file.fd, look, there, Math.min(headBytes, end - offset) - there, offset + there);
  if (there < headBytes) return undefined;
  const head = look.subarray(0, headBytes);
  const bodyBytes = readBodyBytes(head.subarray(PREFIX_BYTES));
  if (bodyBytes === undefined || offset + headBytes + bodyBytes > end) return undefined;
  return { head, bytes: headBytes + bodyBytes };
}
