import type { FileHandle } from 'node:fs/promises';
import type { Damage, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { BatchPlace, DecodeOptions, LogHeader } from '@s2lab/frame';
import { decodeFrame, PREFIX_BYTES, readBodyBytes, readPrefix, releaseFrame } from '@s2lab/frame';
import { ForwardReader } from './forward-reader.ts';

/** One item of a log file: what it is and where its message lies; `place` is undefined for what is no message. */
export interface ScannedItem {
  readonly item: Frame | Damage;
  readonly place: BatchPlace | undefined;
}

/**
 * Reads a log forward, message by message, through a bounded window. After damage it goes on where the next message must begin, if one
 * begins there; otherwise the damage reaches to the end of the log, and it is the last item.
 */
export async function* scanLog(file: FileHandle, header: LogHeader, options: DecodeOptions = {}): AsyncGenerator<ScannedItem, void> {
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
    const item = decodeFrame(reader.peek(bytes), `${path}, byte ${offset}`, options);
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
