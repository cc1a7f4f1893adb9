import { ByteBuffer } from 'flatbuffers';
import { Message } from 'apache-arrow/fb/message';
import { FRAME_ROWS } from '@s2lab/events';
import { ARROW_COLUMNS, ROW_BYTES } from './arrow-schema.ts';
import type { FrameCodec } from './frame-codec.ts';

/** Most rows a frame may have: eight times what the engine makes. A reader allocates at most MAX_FRAME_ROWS × ROW_BYTES a frame. */
export const MAX_FRAME_ROWS: number = 8 * FRAME_ROWS;

/** Most bytes of a message's flatbuffer that a reader accepts. */
export const MAX_METADATA_BYTES = 65_536;

/** Most bytes of a message's body that a reader accepts: every column stored as it is, with prefix and padding. */
export const MAX_BODY_BYTES: number = MAX_FRAME_ROWS * ROW_BYTES + 16 * ARROW_COLUMNS.length;

/** Bytes before the flatbuffer: continuation marker and length. */
export const PREFIX_BYTES = 8;

/** Hexadecimal digits of the checksum's text. */
export const CHECKSUM_DIGITS = 8;

/** Bytes of the checksum's text together with the string's ending: what the flatbuffer ends with. */
const CHECKSUM_TAIL = CHECKSUM_DIGITS + 4;

/** Byte offset in the message of the checksum's digits, for a flatbuffer of `metadataBytes`. */
export function checksumPlace(metadataBytes: number): number {
  return PREFIX_BYTES + metadataBytes - CHECKSUM_TAIL;
}

/** The checksum of `message` as text: CRC-32 of all its bytes but the checksum's own digits. */
export function messageChecksum(message: Uint8Array, metadataBytes: number, codec: FrameCodec): string {
  const place = checksumPlace(metadataBytes);
  const before = codec.crc32(message.subarray(0, place), 0);
  const all = codec.crc32(message.subarray(place + CHECKSUM_DIGITS), before);
  return all.toString(16).padStart(CHECKSUM_DIGITS, '0');
}

/**
 * What the first eight bytes at `offset` say: a message whose flatbuffer has `metadataBytes`, the end of the stream, or `undefined`
 * when no message of this format begins like that. The caller makes sure that eight bytes are there.
 */
export function readPrefix(bytes: Uint8Array, offset: number): { readonly metadataBytes: number } | 'end' | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, PREFIX_BYTES);
  if (view.getUint32(0, true) !== 0xffff_ffff) return undefined;
  const metadataBytes = view.getUint32(4, true);
  if (metadataBytes === 0) return 'end';
  if (metadataBytes % 8 !== 0 || metadataBytes < CHECKSUM_TAIL || metadataBytes > MAX_METADATA_BYTES) return undefined;
  return { metadataBytes };
}

/**
 * Body length that a message's flatbuffer claims, or undefined when that is no length a frame can have.
 * The flatbuffer is not trusted: reads outside of it give zeros.
 */
export function readBodyBytes(metadata: Uint8Array): number | undefined {
  const bodyBytes = Message.getRootAsMessage(new ByteBuffer(metadata)).bodyLength();
  return bodyBytes >= 0n && bodyBytes <= BigInt(MAX_BODY_BYTES) && bodyBytes % 8n === 0n ? Number(bodyBytes) : undefined;
}
