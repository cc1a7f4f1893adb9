import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import type { JudgeSnapshot } from './topic-judge.ts';

/** State of the judge of one partition, and where in the partition it belongs. */
export interface Checkpoint {
  /** Partition offset of the first message that is not judged yet. */
  readonly next: string;
  readonly judge: JudgeSnapshot;
  /** Times that judging of the partition was taken up from a checkpoint. */
  readonly restarts: number;
}

/** Where checkpoints are kept, one for each partition. */
export interface CheckpointStore {
  /** The newest checkpoints of `partitions`; those that have none are left out. */
  load(partitions: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  /** Keeps a checkpoint; when it resolves, `load` gives this one, whatever happens. */
  save(partition: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A checkpoint that cannot be taken up; the message says why. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** Begins every checkpoint; the last digit is the version of this envelope. */
const MAGIC = Buffer.from('s2labCP1');
const DIGEST_BYTES = 32;
/** A checkpoint that unpacks to more is damaged. */
const UNPACKED_MAX = 1 << 30;
/** Speed matters more than size: judging waits. */
const LEVEL = 1;

/** A checkpoint as bytes: magic, SHA-256 of what follows, the state compressed. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const packed = zstdCompressSync(serialize(checkpoint), { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  return Buffer.concat([MAGIC, createHash('sha256').update(packed).digest(), packed]);
}

/** The inverse of `encodeCheckpoint`. @throws CheckpointError when the bytes are damaged or of another version */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const from = MAGIC.length + DIGEST_BYTES;
  if (bytes.byteLength < from || !MAGIC.equals(bytes.subarray(0, MAGIC.length)))
    throw new CheckpointError('it is no checkpoint of this version');
  const packed = bytes.subarray(from);
  const digest = createHash('sha256').update(packed).digest();
  if (!digest.equals(bytes.subarray(MAGIC.length, from))) throw new CheckpointError('its checksum is wrong');
  try {
    return deserialize(zstdDecompressSync(packed, { maxOutputLength: UNPACKED_MAX })) as Checkpoint;
  } catch (cause) {
    throw new CheckpointError(`it cannot be unpacked (${(cause as Error).message})`, { cause });
  }
}
