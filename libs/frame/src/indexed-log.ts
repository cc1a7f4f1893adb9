import type { Damage, Frame } from '@s2lab/events';
import { platformCodec } from '#platform-codec';
import { decodeFrame } from './decode-frame.ts';
import type { FrameHeader } from './frame-header.ts';
import { readFrameHeader } from './frame-header.ts';
import type { LogBytes, LogHeader } from './log-bytes.ts';
import { readLogHeader } from './log-bytes.ts';
import { MAX_METADATA_BYTES, PREFIX_BYTES, readBodyBytes, readPrefix } from './message-layout.ts';

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
 * A log with random access to its frames. Opening reads the headers of all messages and decompresses nothing; the footer is not
 * needed, so that the log of a killed or running writer opens as well.
 */
export class IndexedLog {
  readonly path: string;
  private readonly store: LogBytes;
  private readonly list: IndexedFrame[] = [];
  private found: Damage[] = [];
  private header: LogHeader;
  private sum = 0;
  /** Byte offset at which the next message begins, if there is one. */
  private end = 0;

  private constructor(store: LogBytes, header: LogHeader) {
    this.store = store;
    this.path = header.path;
    this.header = header;
  }

  /**
   * @param name the log as messages name it
   * @throws LogFileError when it is no event log, or one of another schema version
   */
  static async over(store: LogBytes, name: string): Promise<IndexedLog> {
    const log = new IndexedLog(store, await readLogHeader(store, name));
    await log.index();
    return log;
  }

  /** Looks for what a writer has added since. @returns how many frames were found */
  async grow(): Promise<number> {
    const before = this.list.length;
    this.header = await readLogHeader(this.store, this.path);
    await this.index();
    return this.list.length - before;
  }

  /** Bytes of the log as far as it was looked at. */
  get size(): number {
    return this.header.size;
  }

  /** JSON text that says what the run was, as its writer gave it; empty when the log ends within its header. */
  get description(): string {
    return this.header.content?.description ?? '';
  }

  /** Whether the writer closed the log. */
  get closed(): boolean {
    return this.header.endMark !== undefined;
  }

  get frames(): readonly IndexedFrame[] {
    return this.list;
  }

  /** Where the index had to leave something out. A log that is being written ends in such a place most of the time. */
  get damages(): readonly Damage[] {
    return this.found;
  }

  /**
   * CRC-32 over the headers of all messages, as 8 hexadecimal digits. Each header holds the checksum of its whole message, so two logs
   * with equal size and equal checksum hold equal events.
   */
  get checksum(): string {
    return this.sum.toString(16).padStart(8, '0');
  }

  /** Reads and decodes one frame of `frames`. It shares no memory with any other. */
  async read(frame: IndexedFrame): Promise<Frame | Damage> {
    return decodeFrame(await this.store.read(frame.offset, frame.bytes), `${this.path}, byte ${frame.offset}`);
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  private async index(): Promise<void> {
    const { path, header } = this;
    const end = header.endMark ?? header.size;
    this.end ||= header.content?.firstFrame ?? 0;
    this.found = this.found.filter(({ damage }) => damage !== 'torn');
    if (this.end === 0) return;
    while (this.end < end) {
      const offset = this.end;
      const message = await this.messageAt(offset, end);
      if (message === undefined) {
        this.found.push({
          damage: header.endMark === undefined ? 'torn' : 'corrupt',
          where: `${path}, byte ${offset}`,
          because: `no whole frame begins here; the last ${end - offset} bytes of the log were cut`,
        });
        break;
      }
      this.sum = platformCodec.crc32(message.head, this.sum);
      const found = readFrameHeader(message.head.subarray(PREFIX_BYTES));
      if (found === undefined)
        this.found.push({ damage: 'corrupt', where: `${path}, byte ${offset}`, because: 'its header does not say which events it holds' });
      else this.list.push({ ...found, offset, bytes: message.bytes });
      this.end += message.bytes;
    }
  }

  /** Prefix and header of the message at `offset`, and its length; undefined when no whole message is there. */
  private async messageAt(offset: number, end: number): Promise<{ head: Uint8Array; bytes: number } | undefined> {
    let look = await this.store.read(offset, Math.min(LOOK_BYTES, end - offset));
    if (look.byteLength < PREFIX_BYTES) return undefined;
    const prefix = readPrefix(look, 0);
    if (prefix === undefined || prefix === 'end' || prefix.metadataBytes > MAX_METADATA_BYTES) return undefined;
    const headBytes = PREFIX_BYTES + prefix.metadataBytes;
    if (look.byteLength < headBytes) look = await this.store.read(offset, Math.min(headBytes, end - offset));
    if (look.byteLength < headBytes) return undefined;
    const head = look.subarray(0, headBytes);
    const bodyBytes = readBodyBytes(head.subarray(PREFIX_BYTES));
    if (bodyBytes === undefined || offset + headBytes + bodyBytes > end) return undefined;
    return { head, bytes: headBytes + bodyBytes };
  }
}
