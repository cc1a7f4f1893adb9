import { ByteBuffer } from 'flatbuffers';
import { BodyCompressionMethod } from 'apache-arrow/fb/body-compression-method';
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import type { ColumnName, Damage, EventRows, Frame } from '@s2lab/events';
import { kindName, SCHEMA_VERSION } from '@s2lab/events';
import { ARROW_COLUMNS, BYTES_OF, VERSION_KEY } from './arrow-schema.ts';
import type { FrameCodec } from './frame-codec.ts';
import {
  CHECKSUM_DIGITS,
  checksumPlace,
  MAX_FRAME_ROWS,
  messageChecksum,
  PREFIX_BYTES,
  readBodyBytes,
  readPrefix,
} from './message-layout.ts';
import { platformCodec } from '#platform-codec';

/** Entries of custom metadata that a reader looks at; a frame has nine. */
const METADATA_ENTRIES_MAX = 64;

const VIEWS = { u64: Uint32Array, u32: Uint32Array, u16: Uint16Array, u8: Uint8Array, i8: Int8Array } as const;

/** How a frame is to be decoded. */
export interface DecodeOptions {
  /** Columns that the reader does not look at: they are not unpacked and hold zeros. */
  readonly without?: readonly ColumnName[];
  readonly codec?: FrameCodec;
}

/** Why bytes are not a frame; becomes a Damage at the edge of this file. */
class Unreadable extends Error {
  readonly damage: Damage['damage'];

  constructor(damage: Damage['damage'], because: string) {
    super(because);
    this.damage = damage;
  }
}

function corruptUnless(condition: boolean, because: string): asserts condition {
  if (!condition) throw new Unreadable('corrupt', because);
}

/** Checks prefix, extent and checksum; returns the length of the flatbuffer. */
function requireWhole(bytes: Uint8Array, codec: FrameCodec): number {
  if (bytes.byteLength < PREFIX_BYTES) throw new Unreadable('torn', `${bytes.byteLength} bytes are too few for a message`);
  const prefix = readPrefix(bytes, 0);
  corruptUnless(prefix !== undefined && prefix !== 'end', 'it does not begin like an Arrow message');
  const { metadataBytes } = prefix;
  if (bytes.byteLength < PREFIX_BYTES + metadataBytes) {
    throw new Unreadable('torn', `its header should have ${metadataBytes} bytes, ${bytes.byteLength - PREFIX_BYTES} are there`);
  }
  const place = checksumPlace(metadataBytes);
  const stored = String.fromCharCode(...bytes.subarray(place, place + CHECKSUM_DIGITS));
  const found = messageChecksum(bytes, metadataBytes, codec);
  if (stored === found) return metadataBytes;
  const bodyBytes = readBodyBytes(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + metadataBytes));
  const missing = bodyBytes === undefined ? 0 : PREFIX_BYTES + metadataBytes + bodyBytes - bytes.byteLength;
  if (missing > 0) throw new Unreadable('torn', `its body should have ${bodyBytes} bytes, the last ${missing} are missing`);
  throw new Unreadable('corrupt', `its checksum is ${found}, the frame says ${/^[0-9a-f]{8}$/.test(stored) ? stored : 'no such number'}`);
}

function readMetadata(message: Message): Map<string, string> {
  const entries = message.customMetadataLength();
  corruptUnless(entries <= METADATA_ENTRIES_MAX, `it has ${entries} entries of metadata`);
  const metadata = new Map<string, string>();
  for (let i = 0; i < entries; i += 1) {
    const pair = message.customMetadata(i);
    const key = pair?.key();
    const value = pair?.value();
    if (typeof key === 'string' && typeof value === 'string') metadata.set(key, value);
  }
  return metadata;
}

function textOf(metadata: ReadonlyMap<string, string>, key: string): string {
  const value = metadata.get(key);
  corruptUnless(value !== undefined, `its metadata lacks ${key}`);
  return value;
}

function numberOf(metadata: ReadonlyMap<string, string>, key: string, max: number): number {
  const text = textOf(metadata, key);
  const value = Number(text);
  corruptUnless(/^\d{1,16}$/.test(text) && value <= max, `its metadata says ${key} ${text.slice(0, 40)}, which is no number up to ${max}`);
  return value;
}

/** Column `index` of the batch as bytes: a view on `body` when it was stored as it is. */
function decodeColumn(batch: RecordBatch, index: number, body: Uint8Array, size: number, codec: FrameCodec): Uint8Array {
  const { name } = ARROW_COLUMNS[index]!;
  corruptUnless(batch.buffers(2 * index)!.length() === 0n && batch.nodes(index)!.nullCount() === 0n, `column ${name} has nulls`);
  const region = batch.buffers(2 * index + 1)!;
  const offset = Number(region.offset());
  const length = Number(region.length());
  corruptUnless(
    offset >= 0 && length >= 0 && offset % 8 === 0 && offset + length <= body.byteLength,
    `column ${name} lies outside of the body`,
  );
  if (size === 0 && length === 0) return body.subarray(0, 0);
  corruptUnless(length >= 8, `column ${name} has no size`);
  const stored = body.subarray(offset + 8, offset + length);
  const view = new DataView(body.buffer, body.byteOffset + offset, 8);
  const low = view.getInt32(0, true);
  const high = view.getInt32(4, true);
  if (low === -1 && high === -1) {
    corruptUnless(stored.byteLength === size, `column ${name} has ${stored.byteLength} bytes, not ${size}`);
    return stored;
  }
  corruptUnless(low === size && high === 0, `column ${name} claims another size than ${size} bytes`);
  let unpacked: Uint8Array | undefined;
  try {
    unpacked = codec.decompress(stored, size);
  } catch (cause) {
    throw new Unreadable('corrupt', `column ${name} cannot be decompressed (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  corruptUnless(unpacked.byteLength === size, `column ${name} decompresses to ${unpacked.byteLength} bytes, not ${size}`);
  return unpacked;
}

/** Memory of the columns that were unpacked, by rows: what `releaseFrame` may give back. */
const unpackedColumns = new WeakMap<EventRows, readonly Uint8Array[]>();

let zeros = new Uint8Array(0);

/** `size` zeros, which nobody may write to. */
function zeroBytes(size: number): Uint8Array {
  if (zeros.byteLength < size) zeros = new Uint8Array(size);
  return zeros.subarray(0, size);
}

function decodeRows(batch: RecordBatch, rows: number, body: Uint8Array, { codec = platformCodec, without = [] }: DecodeOptions): EventRows {
  const columns: Record<string, unknown> = { length: rows };
  const unpacked: Uint8Array[] = [];
  ARROW_COLUMNS.forEach(({ name, type }, index) => {
    if (name === 'first_seq' || name === 'machine') return; // The frame's own, known from the metadata.
    const size = rows * BYTES_OF[type];
    const leftOut = (without as readonly string[]).includes(name);
    const bytes = leftOut ? zeroBytes(size) : decodeColumn(batch, index, body, size, codec);
    if (!leftOut && bytes.buffer !== body.buffer) unpacked.push(bytes);
    const View = VIEWS[type];
    // Not slice(): that of a Buffer does not copy.
    const aligned = bytes.byteOffset % View.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
    columns[name] = new View(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / View.BYTES_PER_ELEMENT);
  });
  const decoded = columns as unknown as EventRows;
  unpackedColumns.set(decoded, unpacked);
  return decoded;
}

const knownKinds = Uint8Array.from({ length: 256 }, (_, code) => (kindName(code) === undefined ? 0 : 1));

function requireKnownKinds(rows: EventRows, firstSeq: number): void {
  const { kind, length } = rows;
  for (let i = 0; i < length; i += 1) {
    if (knownKinds[kind[i]!] === 0)
      throw new Unreadable(
        'unsupported',
        `event ${firstSeq + i} is of kind ${kind[i]}, which schema version ${SCHEMA_VERSION} of this program does not have`,
      );
  }
}

function decode(bytes: Uint8Array, options: DecodeOptions): Frame {
  const metadataBytes = requireWhole(bytes, options.codec ?? platformCodec);
  const message = Message.getRootAsMessage(new ByteBuffer(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + metadataBytes)));
  const metadata = readMetadata(message);
  const version = textOf(metadata, VERSION_KEY);
  if (version !== String(SCHEMA_VERSION)) {
    throw new Unreadable('unsupported', `it has schema version ${version.slice(0, 40)}, this program reads ${SCHEMA_VERSION}`);
  }
  const body = bytes.subarray(PREFIX_BYTES + metadataBytes);
  corruptUnless(
    message.bodyLength() === BigInt(body.byteLength),
    `its body has ${body.byteLength} bytes, its header says ${message.bodyLength()}`,
  );
  corruptUnless(message.headerType() === MessageHeader.RecordBatch, 'it is an Arrow message, but no record batch');
  const batch = message.header(new RecordBatch()) as RecordBatch | null;
  const compression = batch?.compression();
  corruptUnless(
    batch !== null && compression?.codec() === CompressionType.ZSTD && compression.method() === BodyCompressionMethod.BUFFER,
    'its columns are not compressed with zstd',
  );
  const count = numberOf(metadata, 'count', MAX_FRAME_ROWS);
  const firstSeq = numberOf(metadata, 'first_seq', Number.MAX_SAFE_INTEGER - MAX_FRAME_ROWS);
  corruptUnless(batch.length() === BigInt(count), `it has ${batch.length()} rows, its metadata says ${count}`);
  corruptUnless(
    batch.nodesLength() === ARROW_COLUMNS.length && batch.buffersLength() === 2 * ARROW_COLUMNS.length,
    `it has ${batch.nodesLength()} columns in ${batch.buffersLength()} buffers, not ${ARROW_COLUMNS.length} in ${2 * ARROW_COLUMNS.length}`,
  );
  const origin = {
    run: textOf(metadata, 'run'),
    machine: numberOf(metadata, 'machine', 0xffff_ffff),
    policy: textOf(metadata, 'policy'),
    machineKind: textOf(metadata, 'machine_kind'),
    workload: textOf(metadata, 'workload'),
  };
  const rows = decodeRows(batch, count, body, options);
  requireKnownKinds(rows, firstSeq);
  return { origin, firstSeq, rows };
}

/**
 * Decodes one message made by `encodeFrame`. The bytes are not trusted: whatever they are, the answer is a frame or the damage, and no
 * more than MAX_FRAME_ROWS × ROW_BYTES is allocated. Columns that were stored as they are stay views on `bytes`.
 * @param where what to say as `where` of damage: the byte or partition offset
 */
export function decodeFrame(bytes: Uint8Array, where: string, options: DecodeOptions = {}): Frame | Damage {
  try {
    return decode(bytes, options);
  } catch (problem) {
    if (problem instanceof Unreadable) return { damage: problem.damage, where, because: problem.message };
    // Offsets inside a flatbuffer with a forged checksum can lead anywhere in it, and the accessors then throw what they like.
    return {
      damage: 'corrupt',
      where,
      because: `its header makes no sense (${problem instanceof Error ? problem.message : String(problem)})`,
    };
  }
}

/**
 * Gives back the memory of a frame that `decodeFrame` made; its columns are empty afterwards. A source calls it when the next frame is asked
 * for: without it, the garbage collector runs in full every 16 frames. Does nothing to frames that were not decoded.
 */
export function releaseFrame(frame: Frame, codec: FrameCodec = platformCodec): void {
  for (const bytes of unpackedColumns.get(frame.rows) ?? []) codec.discard(bytes);
}
