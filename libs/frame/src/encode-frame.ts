import { Builder } from 'flatbuffers';
import { BodyCompression } from 'apache-arrow/fb/body-compression';
import { BodyCompressionMethod } from 'apache-arrow/fb/body-compression-method';
import { Buffer as BufferRegion } from 'apache-arrow/fb/buffer';
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { FieldNode } from 'apache-arrow/fb/field-node';
import { KeyValue } from 'apache-arrow/fb/key-value';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import type { ColumnName, Frame } from '@s2lab/events';
import { SCHEMA_VERSION } from '@s2lab/events';
import { ARROW_COLUMNS, BYTES_OF, VERSION_KEY } from './arrow-schema.ts';
import type { FrameCodec } from './frame-codec.ts';
import { CHECKSUM_DIGITS, checksumPlace, MAX_FRAME_ROWS, MAX_METADATA_BYTES, messageChecksum } from './message-layout.ts';
import { platformCodec } from '#platform-codec';

/** Below this many bytes a zstd call costs more than the bytes it saves are worth. */
const COMPRESS_FROM_BYTES = 128;

/** Size prefix of a buffer that is stored as it is, for readers of compressed bodies. @source Arrow Message.fbs, BodyCompressionMethod */
const STORED_RAW = -1;

interface EncodedColumn {
  /** Bytes after the size prefix. */
  readonly stored: Uint8Array;
  /** Size prefix: bytes after decompression, or STORED_RAW. */
  readonly size: number;
}

const constantValues = { u32: new Uint32Array(0), u64: new Uint32Array(0) };

/** `rows` copies of `value` in a memory that the next call of the same width overwrites. */
function constantColumn(type: 'u32' | 'u64', value: number, rows: number): Uint32Array {
  const words = type === 'u64' ? 2 : 1;
  if (constantValues[type].length < words * rows) constantValues[type] = new Uint32Array(words * rows);
  const column = constantValues[type].subarray(0, words * rows);
  if (words === 1) return column.fill(value);
  const high = value / 0x1_0000_0000;
  for (let i = 0; i < column.length; i += 2) {
    column[i] = value;
    column[i + 1] = high;
  }
  return column;
}

function columnBytes(frame: Frame, name: ColumnName | 'first_seq' | 'machine', bytes: number): Uint8Array {
  const rows = frame.rows.length;
  const values =
    name === 'first_seq'
      ? constantColumn('u64', frame.firstSeq, rows)
      : name === 'machine'
        ? constantColumn('u32', frame.origin.machine, rows)
        : frame.rows[name];
  return new Uint8Array(values.buffer, values.byteOffset, bytes);
}

function encodeColumns(frame: Frame, codec: FrameCodec): EncodedColumn[] {
  return ARROW_COLUMNS.map(({ name, type }) => {
    const raw = columnBytes(frame, name, frame.rows.length * BYTES_OF[type]);
    if (raw.byteLength >= COMPRESS_FROM_BYTES) {
      const packed = codec.compress(raw);
      if (packed.byteLength < raw.byteLength) return { stored: packed, size: raw.byteLength };
    }
    // A frame column's memory is shared by the frames, so what is stored as it is must be a copy.
    return { stored: name === 'first_seq' || name === 'machine' ? raw.slice() : raw, size: STORED_RAW };
  });
}

function createKeyValue(builder: Builder, key: string, value: number): number {
  return KeyValue.createKeyValue(builder, builder.createString(key), value);
}

/** The Message flatbuffer. Its very last bytes are the checksum's text, because it is the first thing that is built. */
function encodeMetadata(frame: Frame, columns: readonly EncodedColumn[], regions: readonly number[], bodyBytes: number): Uint8Array {
  const builder = new Builder(2048);
  const checksum = builder.createString('0'.repeat(CHECKSUM_DIGITS));
  const { origin, firstSeq, rows } = frame;
  const pairs = Object.entries({
    [VERSION_KEY]: String(SCHEMA_VERSION),
    run: origin.run,
    machine: String(origin.machine),
    policy: origin.policy,
    machine_kind: origin.machineKind,
    workload: origin.workload,
    first_seq: String(firstSeq),
    count: String(rows.length),
  }).map(([key, value]) => createKeyValue(builder, key, builder.createString(value)));
  pairs.push(createKeyValue(builder, 'checksum', checksum));
  const metadata = Message.createCustomMetadataVector(builder, pairs);

  RecordBatch.startNodesVector(builder, columns.length);
  for (let i = 0; i < columns.length; i += 1) FieldNode.createFieldNode(builder, BigInt(rows.length), 0n);
  const nodes = builder.endVector();
  RecordBatch.startBuffersVector(builder, 2 * columns.length);
  for (let i = columns.length - 1; i >= 0; i -= 1) {
    const { stored } = columns[i]!;
    BufferRegion.createBuffer(builder, BigInt(regions[i]!), BigInt(stored.byteLength === 0 ? 0 : 8 + stored.byteLength));
    BufferRegion.createBuffer(builder, BigInt(regions[i]!), 0n); // Validity: no column has nulls.
  }
  const buffers = builder.endVector();
  const compression = BodyCompression.createBodyCompression(builder, CompressionType.ZSTD, BodyCompressionMethod.BUFFER);
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(rows.length));
  RecordBatch.addNodes(builder, nodes);
  RecordBatch.addBuffers(builder, buffers);
  RecordBatch.addCompression(builder, compression);
  const header = RecordBatch.endRecordBatch(builder);
  Message.finishMessageBuffer(
    builder,
    Message.createMessage(builder, MetadataVersion.V5, MessageHeader.RecordBatch, header, BigInt(bodyBytes), metadata),
  );
  return builder.asUint8Array();
}

function requireEncodable(frame: Frame): void {
  const { firstSeq, origin, rows } = frame;
  const who = `frame of machine ${origin.machine} at event ${firstSeq}`;
  if (rows.length > MAX_FRAME_ROWS)
    throw new RangeError(`${who}: ${rows.length} rows are more than the ${MAX_FRAME_ROWS} a frame may have; split it`);
  if (!Number.isSafeInteger(firstSeq) || firstSeq < 0)
    throw new RangeError(`${who}: the first sequence number must be an integer from 0 to 2^53-1`);
  if (origin.machine >>> 0 !== origin.machine) throw new RangeError(`${who}: the machine must be an unsigned 32-bit number`);
}

/**
 * Encodes a frame as one encapsulated Arrow IPC record batch message: continuation, length, flatbuffer, body. Every column is a zstd
 * buffer of its own. The message's custom metadata carries run, machine, policy, machine_kind, workload, first_seq, count,
 * schema_version and a CRC-32 (8 hexadecimal digits, last in the flatbuffer) of the whole message with those digits left out.
 * The result shares no memory with the frame.
 * @throws RangeError when the frame has more than MAX_FRAME_ROWS rows, or its numbers or names do not fit the format.
 * @source Arrow columnar format, "Encapsulated message format" and Message.fbs
 */
export function encodeFrame(frame: Frame, codec: FrameCodec = platformCodec): Uint8Array {
  requireEncodable(frame);
  const columns = encodeColumns(frame, codec);
  const regions: number[] = [];
  let bodyBytes = 0;
  for (const { stored } of columns) {
    regions.push(bodyBytes);
    if (stored.byteLength > 0) bodyBytes += (8 + stored.byteLength + 7) & ~7;
  }
  const metadata = encodeMetadata(frame, columns, regions, bodyBytes);
  const metadataBytes = (metadata.byteLength + 7) & ~7;
  if (metadata.byteLength !== metadataBytes || metadataBytes > MAX_METADATA_BYTES) {
    throw new RangeError(
      `frame of machine ${frame.origin.machine}: metadata of ${metadata.byteLength} bytes; names of run, policy and workload must be shorter`,
    );
  }
  const message = new Uint8Array(8 + metadataBytes + bodyBytes);
  const view = new DataView(message.buffer);
  view.setUint32(0, 0xffff_ffff, true);
  view.setUint32(4, metadataBytes, true);
  message.set(metadata, 8);
  const bodyAt = 8 + metadataBytes;
  columns.forEach(({ stored, size }, i) => {
    if (stored.byteLength === 0) return;
    view.setInt32(bodyAt + regions[i]!, size, true);
    view.setInt32(bodyAt + regions[i]! + 4, size < 0 ? -1 : 0, true);
    message.set(stored, bodyAt + regions[i]! + 8);
    if (size !== STORED_RAW) codec.discard(stored);
  });
  const digits = messageChecksum(message, metadataBytes, codec);
  for (let i = 0; i < CHECKSUM_DIGITS; i += 1) message[checksumPlace(metadataBytes) + i] = digits.charCodeAt(i);
  return message;
}
