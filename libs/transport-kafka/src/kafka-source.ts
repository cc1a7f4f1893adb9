import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { ColumnName, Damage, EventSource, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { decodeFrame, releaseFrame } from '@s2lab/frame';
import { HandOver } from './hand-over.ts';
import type { KafkaConnection } from './kafka-client.ts';
import { ADMIN_RETRIES, kafkaClient, KafkaTransportError, persist, reasonOf } from './kafka-client.ts';

/** How a topic is read. */
export interface KafkaSourceOptions extends KafkaConnection {
  readonly topic: string;
  /**
   * Consumer group whose committed offsets the reading starts from and whose members share the partitions. Without one, the topic is read
   * from its beginning by this reader alone, and nothing is committed.
   */
  readonly groupId?: string;
  /** `end`: what is in the topic when it is opened, then the source ends. `closed`: also what comes later, until `close`. */
  readonly until: 'end' | 'closed';
  /** How long `open` waits for broker and topic, milliseconds; by default 10 s, Infinity = for ever. */
  readonly patienceMs?: number;
  /** Columns that the reader does not look at: they are not unpacked and hold zeros. */
  readonly without?: readonly ColumnName[];
  /** Told the partitions that this reader has, whenever the group has shared them out anew. */
  readonly onAssigned?: (partitions: readonly number[]) => void;
}

/** An item with its place in the topic. */
export interface PlacedItem {
  readonly item: Frame | Damage;
  readonly partition: number;
  readonly offset: string;
  /** The message as it was sent. */
  readonly value: Uint8Array | null;
}

/** Most time that a fetch waits at the broker for something new: bounds how long `close` takes. */
const FETCH_WAIT_MS = 100;

/** How often a reader that folds for long tells the group that it lives. */
const HEARTBEAT_MS = 1000;

/** A member of the group that is silent for so long is thought dead; so long a group waits after a broker's crash. */
const SESSION_MS = 10_000;

/** How long `close` waits for a reading that is still starting. */
const LEAVE_MS = 2000;

/** Offset that a partition's reading begins at and the offset that it ends before; bigint, as Kafka's offsets are 64-bit. */
interface Range {
  readonly from: bigint;
  readonly end: bigint;
}

/**
 * Reads frames from a Kafka topic, in order within each partition, and so of each machine; at least once. What is no frame comes as damage
 * with its partition and offset, and the stream goes on.
 */
export class KafkaSource implements EventSource {
  private readonly options: KafkaSourceOptions;
  private readonly consumer: Consumer;
  private readonly admin: ReturnType<Kafka['admin']>;
  private readonly groupId: string;
  /** Partitions that still have something to read, when the reading is bounded. */
  private readonly unread: Map<number, Range>;
  private readonly next = new Map<number, string>();
  private readonly handOver = new HandOver<PlacedItem>();
  private readonly leaving = new AbortController();
  private started: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  private constructor(options: KafkaSourceOptions, kafka: Kafka, admin: ReturnType<Kafka['admin']>, unread: Map<number, Range>) {
    this.options = options;
    this.groupId = options.groupId ?? `${options.clientId}-${randomUUID()}`;
    this.admin = admin;
    this.unread = unread;
    this.consumer = kafka.consumer({
      groupId: this.groupId,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: 2 * SESSION_MS,
      maxBytesPerPartition: 4 << 20,
      maxBytes: 16 << 20,
      retry: { restartOnFailure: async () => this.closing === undefined },
    });
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      options.onAssigned?.(payload.memberAssignment[options.topic] ?? []);
    });
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart)
        this.handOver.fail(
          new KafkaTransportError(`topic ${options.topic}: reading stopped (${payload.error.message})`, { cause: payload.error }),
        );
    });
  }

  /** @throws KafkaTransportError when no broker answers or there is no such topic, for longer than the patience. */
  static async open(options: KafkaSourceOptions): Promise<KafkaSource> {
    const { topic, patienceMs = 10_000 } = options;
    const kafka = kafkaClient(options);
    const admin = kafkaClient(options, ADMIN_RETRIES).admin();
    try {
      const unread = await persist(`topic ${topic} on ${options.brokers.join(', ')}`, { patienceMs }, async () => {
        await admin.connect();
        return readRanges(admin, options);
      });
      return new KafkaSource(options, kafka, admin, unread);
    } catch (cause) {
      await admin.disconnect().catch(() => {});
      throw cause;
    }
  }

  /** Frames and damage in order of arrival. May be iterated once, as `items` or as `frames`. */
  async *frames(): AsyncGenerator<Frame | Damage, void> {
    for await (const { item } of this.items()) yield item;
  }

  /** As `frames`, each with its place. */
  async *items(): AsyncGenerator<PlacedItem, void> {
    const bounded = this.options.until === 'end';
    if (bounded && this.unread.size === 0) return;
    this.started ??= this.start();
    this.started.catch((cause: unknown) => this.handOver.fail(cause));
    for (;;) {
      const taken = await this.handOver.take();
      if (taken === undefined) return;
      // Told before the item is yielded, so that a reader that has folded it can commit without asking for the next one.
      this.next.set(taken.partition, (BigInt(taken.offset) + 1n).toString());
      yield taken;
      if (!isDamage(taken.item)) releaseFrame(taken.item);
      const range = this.unread.get(taken.partition);
      if (!bounded || range === undefined || BigInt(taken.offset) + 1n < range.end) continue;
      this.unread.delete(taken.partition);
      if (this.unread.size === 0) return;
    }
  }

  /** Goes on in `partition` at `offset`; items before it may still come. */
  seek(partition: number, offset: string): void {
    this.consumer.seek({ topic: this.options.topic, partition, offset });
  }

  /** For each partition, the offset after the last item that was yielded: what to commit once all yielded items are folded. */
  positions(): ReadonlyMap<number, string> {
    return this.next;
  }

  /**
   * Commits offsets for the group, so that a reader that starts anew goes on there. Call it when the effects of everything before are safe.
   * @param positions by default the positions of what was yielded so far
   * @throws KafkaTransportError when this reader has no group of its own, or the broker refuses.
   */
  async commit(positions: ReadonlyMap<number, string> = this.next): Promise<void> {
    const { topic, groupId } = this.options;
    if (groupId === undefined) throw new KafkaTransportError(`topic ${topic}: cannot commit without a consumer group`);
    try {
      await this.consumer.commitOffsets([...positions].map(([partition, offset]) => ({ topic, partition, offset })));
    } catch (cause) {
      throw new KafkaTransportError(`topic ${topic}: offsets of group ${groupId} cannot be committed (${reasonOf(cause)})`, { cause });
    }
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    this.handOver.end();
    this.leaving.abort();
    // Without a broker the start goes on trying; then there is nothing that would have to be left in order.
    await Promise.race([this.started?.catch(() => {}), delay(LEAVE_MS, undefined, { ref: false })]);
    await this.consumer.disconnect().catch(() => {});
    // A group of one reader's own is of no use to anybody else.
    if (this.options.groupId === undefined && this.started !== undefined) await this.admin.deleteGroups([this.groupId]).catch(() => {});
    await this.admin.disconnect().catch(() => {});
  }

  private async start(): Promise<void> {
    const { topic, patienceMs = 10_000 } = this.options;
    await persist(`topic ${topic}`, { patienceMs, signal: this.leaving.signal }, async () => {
      await this.consumer.connect();
      await this.consumer.subscribe({ topic, fromBeginning: true });
    });
    await this.consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => this.handOverBatch(payload) });
  }

  private async handOverBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    for (const { offset, value } of batch.messages) {
      if (!isRunning() || isStale() || this.closing !== undefined) return;
      const where = `topic ${this.options.topic}, partition ${batch.partition}, offset ${offset}`;
      const handed = this.handOver.put({ item: read(value, where, this.options.without), partition: batch.partition, offset, value });
      // A reader that folds for long must not be thought dead: the group would give its partitions to another.
      while (!(await Promise.race([handed, delay(HEARTBEAT_MS, false, { ref: false })]))) await heartbeat();
      resolveOffset(offset);
    }
    await heartbeat();
  }
}

function read(value: Buffer | null, where: string, without: readonly ColumnName[] = []): Frame | Damage {
  if (value === null) return { damage: 'corrupt', where, because: 'the message is empty' };
  const item = decodeFrame(value, where, { without });
  // A message is never half there: what looks cut off is no frame.
  return isDamage(item) && item.damage === 'torn' ? { ...item, damage: 'corrupt' } : item;
}

/** What there is to read in each partition now; empty partitions are left out. */
async function readRanges(admin: ReturnType<Kafka['admin']>, { topic, groupId }: KafkaSourceOptions): Promise<Map<number, Range>> {
  const committed = new Map<number, bigint>();
  if (groupId !== undefined) {
    for (const { partitions } of await admin.fetchOffsets({ groupId, topics: [topic] })) {
      for (const { partition, offset } of partitions) committed.set(partition, BigInt(offset));
    }
  }
  const ranges = new Map<number, Range>();
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    const at = committed.get(partition) ?? -1n;
    const from = at > BigInt(low) ? at : BigInt(low);
    if (from < BigInt(high)) ranges.set(partition, { from, end: BigInt(high) });
  }
  return ranges;
}
