import type { EventRows } from './columns.ts';

/** Which machine of which run a frame belongs to, and how the metrics group it. */
export interface FrameOrigin {
  /** Names the run: one writer per (run, machine). Equal for equal scenario, seed and parameters unless the user gives one. */
  readonly run: string;
  /** Machine number in the run, from 0. The Kafka key. */
  readonly machine: number;
  /** Reclaim policy of the machine’s guest stage-2, by its registered name. A metric label. */
  readonly policy: string;
  /** Kind of machine, `kvm` or `pkvm`. A metric label. */
  readonly machineKind: string;
  /** Scenario that drives it. A metric label. */
  readonly workload: string;
}

/** Consecutive events of one machine, as they travel: one Arrow record batch. */
export interface Frame {
  readonly origin: FrameOrigin;
  /** Sequence number of row 0; events of a machine count from 0. */
  readonly firstSeq: number;
  readonly rows: EventRows;
}

/**
 * Where frames go: memory, a log file, a Kafka topic.
 * `write` resolves when the frame is kept as safely as the sink can keep it, and rejects when it is not: then nothing after it
 * may be written before it. The rows may be overwritten by the caller once `write` resolved. A slow sink resolves late: that is back-pressure.
 */
export interface EventSink {
  write(frame: Frame): Promise<void>;
  /** Completes what was written; nothing may be written afterwards. Idempotent. */
  close(): Promise<void>;
}

/**
 * Part of a stream that could not be read as a frame: `torn` = cut off at the end (a killed writer), `corrupt` = wrong checksum or
 * impossible sizes, `unsupported` = another schema version. `where` says the byte or partition offset.
 */
export interface Damage {
  readonly damage: 'torn' | 'corrupt' | 'unsupported';
  readonly where: string;
  readonly because: string;
}

/** Where frames come from, in the order of each machine. Frames read stay valid until the next one is asked for. */
export interface EventSource {
  frames(): AsyncIterable<Frame | Damage>;
  close(): Promise<void>;
}

/** Whether an item of a source is damage and not a frame. */
export function isDamage(item: Frame | Damage): item is Damage {
  return 'damage' in item;
}
