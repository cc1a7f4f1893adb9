import type { IHeaders, Message } from 'kafkajs';
import type { Frame } from '@s2lab/events';
import { SCHEMA_VERSION, sliceRows } from '@s2lab/events';
import { encodeFrame } from '@s2lab/frame';

/**
 * Most bytes of frames in one produce request of one partition, and of one frame: below the 1,048,588 bytes that a broker takes by default
 * as one batch, less what keys, headers and the batch itself add. Measured: throughput grows up to here (docs/adr/0005).
 */
export const BATCH_BYTES = 1_000_000;

/** A frame, or a part of one, as a Kafka message. */
export interface FrameMessage extends Message {
  readonly key: string;
  readonly value: Buffer;
  readonly partition: number;
  readonly headers: IHeaders;
}

/**
 * A frame as messages of at most BATCH_BYTES each: one, or the rows split in halves until every part fits. The key is the machine, and the
 * partition is machine mod `partitions`, so that each machine's events stay in order and the load is spread evenly.
 * @throws RangeError when the frame cannot be encoded.
 */
export function frameMessages(frame: Frame, partitions: number): FrameMessage[] {
  const bytes = encodeFrame(frame);
  const { origin, firstSeq, rows } = frame;
  if (bytes.byteLength > BATCH_BYTES && rows.length > 1) {
    const half = rows.length >>> 1;
    return [
      ...frameMessages({ origin, firstSeq, rows: sliceRows(rows, 0, half) }, partitions),
      ...frameMessages({ origin, firstSeq: firstSeq + half, rows: sliceRows(rows, half, rows.length) }, partitions),
    ];
  }
  return [
    {
      key: String(origin.machine),
      value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      partition: origin.machine % partitions,
      headers: { run: origin.run, first_seq: String(firstSeq), count: String(rows.length), schema_version: String(SCHEMA_VERSION) },
    },
  ];
}
