import { randomUUID } from 'node:crypto';
import { createTopics } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { Admin, Producer } from 'kafkajs';
import type { CheckpointStore } from './checkpoint.ts';

/** What the store needs to know of the cluster. */
export interface TopicCheckpointsOptions {
  readonly brokers: readonly string[];
  readonly replicas: number;
  /** Topic of the events, and the group that judges them. */
  readonly events: string;
  readonly group: string;
}

/** Most bytes of a checkpoint: what the topic takes as one message, so that a checkpoint is there whole or not at all. */
const BYTES_MAX = 64 << 20;

/** How long to wait for a checkpoint that the broker says it has. */
const LOAD_MS = 60_000;

/**
 * Checkpoints in a compacted topic beside the events: partition n of it holds the checkpoints of partition n of the events, and the last
 * message is the one that counts. Any verifier of the group can take up what another has left.
 */
export class TopicCheckpoints implements CheckpointStore {
  private readonly options: TopicCheckpointsOptions;
  private readonly topic: string;
  private readonly kafka: Kafka;
  private readonly producer: Producer;
  private readonly admin: Admin;

  constructor(options: TopicCheckpointsOptions) {
    this.options = options;
    this.topic = `${options.events}.checkpoints.${options.group}`.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 249);
    this.kafka = new Kafka({
      brokers: [...options.brokers],
      clientId: 's2lab-verifier-checkpoints',
      logLevel: logLevel.NOTHING,
      retry: { retries: 100, maxRetryTime: 2000 },
    });
    this.producer = this.kafka.producer({ allowAutoTopicCreation: false });
    this.admin = this.kafka.admin();
  }

  /** Makes the topic, with as many partitions as the events have, if it does not exist. The events' topic must. */
  async open(signal: AbortSignal): Promise<void> {
    const { brokers, replicas, events } = this.options;
    await Promise.all([this.producer.connect(), this.admin.connect()]);
    const { topics } = await this.admin.fetchTopicMetadata({ topics: [events] });
    const config = {
      'cleanup.policy': 'compact',
      'max.message.bytes': String(BYTES_MAX),
      // Old checkpoints are of no use to anybody.
      'segment.ms': '60000',
      'min.cleanable.dirty.ratio': '0.01',
    };
    const plan = { topic: this.topic, partitions: topics[0]!.partitions.length, replicas, config };
    await createTopics({ brokers, clientId: 's2lab-verifier' }, [plan], { patienceMs: Infinity, signal });
  }

  async save(partition: number, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > BYTES_MAX - 4096)
      throw new RangeError(`a checkpoint of ${bytes.byteLength} bytes; the topic takes ${BYTES_MAX}`);
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.producer.send({ topic: this.topic, acks: -1, messages: [{ partition, key: String(partition), value }] });
  }

  async load(partitions: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const last = new Map<number, bigint>();
    for (const { partition, low, high } of await this.admin.fetchTopicOffsets(this.topic))
      if (partitions.includes(partition) && BigInt(high) > BigInt(low)) last.set(partition, BigInt(high) - 1n);
    if (last.size === 0) return found;
    const groupId = `${this.topic}-${randomUUID()}`;
    const consumer = this.kafka.consumer({
      groupId,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 100,
      maxBytes: BYTES_MAX,
      maxBytesPerPartition: BYTES_MAX,
    });
    let timer: NodeJS.Timeout | undefined;
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: this.topic, fromBeginning: false });
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`topic ${this.topic} does not give the checkpoints it has`)), LOAD_MS);
        void consumer
          .run({
            autoCommit: false,
            eachMessage: async ({ partition, message }) => {
              const wanted = last.get(partition);
              if (wanted === undefined || BigInt(message.offset) < wanted || message.value === null) return;
              found.set(partition, message.value);
              if (found.size === last.size) resolve();
            },
          })
          .catch(reject);
        for (const [partition, offset] of last) consumer.seek({ topic: this.topic, partition, offset: String(offset) });
      });
    } finally {
      clearTimeout(timer);
      await consumer.disconnect().catch(() => {});
      await this.admin.deleteGroups([groupId]).catch(() => {});
    }
    return found;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.producer.disconnect(), this.admin.disconnect()]);
  }
}
