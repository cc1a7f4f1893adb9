import { ByteBuffer } from 'flatbuffers';
import { Message } from 'apache-arrow/fb/message';
import { MAX_FRAME_ROWS } from './message-layout.ts';

/** What the header of a frame says of it: enough to find events without decompressing anything. */
export interface FrameHeader {
  readonly run: string;
  readonly machine: number;
  /** As its writer says; empty when it says nothing. */
  readonly policy: string;
  readonly machineKind: string;
  readonly workload: string;
  readonly firstSeq: number;
  /** Rows. */
  readonly count: number;
}

/** Entries of custom metadata that are looked at; a frame has nine. */
const ENTRIES_MAX = 64;

/**
 * Reads a message's flatbuffer. Nothing is checked against the checksum: that is for who decodes the frame.
 * @returns undefined when it is no header of a frame.
 */
export function readFrameHeader(metadata: Uint8Array): FrameHeader | undefined {
  const found = new Map<string, string>();
  try {
    const message = Message.getRootAsMessage(new ByteBuffer(metadata));
    const entries = Math.min(ENTRIES_MAX, message.customMetadataLength());
    for (let i = 0; i < entries; i += 1) {
      const pair = message.customMetadata(i);
      const key = pair?.key();
      const value = pair?.value();
      if (typeof key === 'string' && typeof value === 'string') found.set(key, value);
    }
  } catch {
    return undefined; // Offsets inside a flatbuffer that something changed lead anywhere.
  }
  const run = found.get('run');
  const machine = numberOf(found.get('machine'), 0xffff_ffff);
  const firstSeq = numberOf(found.get('first_seq'), Number.MAX_SAFE_INTEGER - MAX_FRAME_ROWS);
  const count = numberOf(found.get('count'), MAX_FRAME_ROWS);
  if (run === undefined || machine === undefined || firstSeq === undefined || count === undefined) return undefined;
  const [policy = '', machineKind = '', workload = ''] = ['policy', 'machine_kind', 'workload'].map((key) => found.get(key));
  return { run, machine, policy, machineKind, workload, firstSeq, count };
}

function numberOf(text: string | undefined, max: number): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}
