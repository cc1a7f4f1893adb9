import type { Frame } from '@s2lab/events';
import { CheckpointError, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import type { CheckpointStore } from './checkpoint.ts';
import type { Judgement, PolicyCount, TopicVerdict } from './topic-judge.ts';
import { TopicJudge } from './topic-judge.ts';

/** One partition: its judge, and how far it has come. */
interface Partition {
  readonly judge: TopicJudge;
  /** Offset of the first message not judged yet, -1 = that is not known: the first that comes. */
  next: bigint;
  readonly restarts: number;
  /** What the newest checkpoint holds. */
  saved: bigint;
  /** When the first message that it lacks was judged, milliseconds; undefined when it lacks none. */
  unsavedSince: number | undefined;
  /** Machines that were running when the partition was taken up. */
  readonly resumed: ReadonlySet<string>;
}

/** What became of a partition that this verifier has got. */
export interface TakenUp {
  readonly partition: number;
  readonly from: 'checkpoint' | 'beginning';
  readonly next: string;
  /** Why there is no checkpoint to go on from, when there is one that cannot be read. */
  readonly because: string | undefined;
  /** What was found in it before. */
  readonly violations: readonly PolicyCount[];
}

/**
 * The judges of the partitions that this verifier has. State and offset of a partition are kept together, so that whoever takes it up goes
 * on with exactly the message that the state lacks.
 */
export class PartitionJudges {
  private readonly store: CheckpointStore | undefined;
  private readonly partitions = new Map<number, Partition>();

  constructor(store: CheckpointStore | undefined) {
    this.store = store;
  }

  /** Keeps and lets go the partitions that are not among `assigned`, and takes up those that are new. */
  async assign(assigned: readonly number[]): Promise<readonly TakenUp[]> {
    for (const partition of this.partitions.keys()) {
      if (assigned.includes(partition)) continue;
      await this.save(partition);
      this.partitions.delete(partition);
    }
    const fresh = assigned.filter((partition) => !this.partitions.has(partition));
    if (fresh.length === 0) return [];
    const kept = (await this.store?.load(fresh)) ?? new Map<number, Uint8Array>();
    return fresh.map((partition) => this.takeUp(partition, kept.get(partition)));
  }

  private takeUp(partition: number, bytes: Uint8Array | undefined): TakenUp {
    let because: string | undefined;
    if (bytes !== undefined) {
      try {
        const { next, judge: snapshot, restarts } = decodeCheckpoint(bytes);
        const judge = TopicJudge.resume(snapshot);
        const from = BigInt(next);
        this.partitions.set(partition, {
          judge,
          next: from,
          restarts: restarts + 1,
          saved: from,
          unsavedSince: undefined,
          resumed: new Set(judge.keys()),
        });
        return { partition, from: 'checkpoint', next, because, violations: judge.byPolicy() };
      } catch (cause) {
        if (!(cause instanceof CheckpointError) && !(cause instanceof RangeError)) throw cause;
        because = cause.message;
      }
    }
    this.partitions.set(partition, {
      judge: new TopicJudge(),
      next: -1n,
      restarts: 0,
      saved: -1n,
      unsavedSince: undefined,
      resumed: new Set(),
    });
    return { partition, from: 'beginning', next: '0', because, violations: [] };
  }

  /**
   * Whether the message at `offset` is the next to be judged: `before` = it was judged already, go on at the offset given;
   * `foreign` = the partition belongs to another verifier now.
   */
  place(partition: number, offset: string): 'next' | 'foreign' | { readonly before: string } {
    const own = this.partitions.get(partition);
    if (own === undefined) return 'foreign';
    return BigInt(offset) < own.next ? { before: String(own.next) } : 'next';
  }

  /** Judges a frame of `partition`; undefined = what is read there is no frame. */
  judge(partition: number, offset: string, frame: Frame | undefined, now: number): Judgement | undefined {
    const own = this.partitions.get(partition)!;
    own.next = BigInt(offset) + 1n;
    own.unsavedSince ??= now;
    return frame === undefined ? undefined : own.judge.judge(frame);
  }

  /** Whether the machine was being judged already when its partition was taken up: its events were not all seen by this process. */
  isResumed(partition: number, key: string): boolean {
    return this.partitions.get(partition)?.resumed.has(key) === true;
  }

  /** Keeps the state of every partition that has gone on. Returns the bytes written. */
  async saveAll(): Promise<{ readonly saved: number; readonly bytes: number }> {
    let saved = 0;
    let bytes = 0;
    for (const partition of this.partitions.keys()) {
      const size = await this.save(partition);
      if (size === 0) continue;
      saved += 1;
      bytes += size;
    }
    return { saved, bytes };
  }

  private async save(partition: number): Promise<number> {
    const own = this.partitions.get(partition)!;
    if (this.store === undefined || own.next === own.saved) return 0;
    const { next, restarts } = own;
    // Encoded before anything is waited for: the judge goes on only afterwards, but nobody shall have to rely on that.
    const bytes = encodeCheckpoint({ next: String(next), judge: own.judge.snapshot(), restarts });
    await this.store.save(partition, bytes);
    own.saved = next;
    own.unsavedSince = undefined;
    return bytes.byteLength;
  }

  /** Milliseconds since the first message was judged that no checkpoint holds yet, at least 1; 0 when there is none. */
  unsavedMs(now: number): number {
    let age = 0;
    for (const { unsavedSince } of this.partitions.values()) if (unsavedSince !== undefined) age = Math.max(age, 1, now - unsavedSince);
    return age;
  }

  /** Times that the partitions of this verifier were taken up from a checkpoint, by it or by others before. */
  restarts(): number {
    let sum = 0;
    for (const { restarts } of this.partitions.values()) sum += restarts;
    return sum;
  }

  /** Next offset of each partition; -1 = nothing was read of it yet, and it will be read from its beginning. */
  positions(): ReadonlyMap<number, bigint> {
    return new Map([...this.partitions].map(([partition, { next }]) => [partition, next]));
  }

  /** How all machines of the partitions stand. */
  verdict(): PartitionsVerdict {
    const verdicts = [...this.partitions.values()].map(({ judge }) => judge.verdict());
    const violations: Record<string, number> = {};
    for (const verdict of verdicts)
      for (const [id, count] of Object.entries(verdict.violations)) violations[id] = (violations[id] ?? 0) + count;
    const sum = (of: (verdict: TopicVerdict) => number): number => verdicts.reduce((total, verdict) => total + of(verdict), 0);
    return {
      verdict: Object.keys(violations).length > 0 ? 'violated' : 'holds',
      partitions: [...this.partitions.keys()].toSorted((a, b) => a - b),
      events: sum(({ events }) => events),
      violations,
      machines: {
        running: sum(({ machines }) => machines.running),
        stopped: sum(({ machines }) => machines.stopped),
        unjudged: sum(({ machines }) => machines.unjudged),
      },
      latest: verdicts.flatMap(({ latest }) => latest),
    };
  }
}

/** How the machines of a verifier’s partitions stand: the shape of /api/verdict. */
export interface PartitionsVerdict extends TopicVerdict {
  readonly partitions: readonly number[];
}
