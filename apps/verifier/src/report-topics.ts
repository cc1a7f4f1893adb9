import type { Damage } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import { createTopics } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { Admin, Producer } from 'kafkajs';

/** Where violations go, as JSON. After a crash some come again, with the same key: run, machine, invariant, event. */
export const VIOLATIONS_TOPIC = 's2lab.violations';

/** Where messages that are no frame are kept as they were sent, with what is wrong and where they stood as headers. */
export const DEAD_LETTERS_TOPIC = 's2lab.dead-letters';

/** Most bytes of a dead letter, and of its reason: together they are less than a broker takes. */
const LETTER_MAX = 1_000_000;
const BECAUSE_MAX = 4_000;

/** What the reports need to know of the cluster. */
export interface ReportTopicsOptions {
  readonly brokers: readonly string[];
  readonly replicas: number;
}

/** Writes what the verifier found to topics of its own, and knows how far the events topic reaches. */
export class ReportTopics {
  private readonly options: ReportTopicsOptions;
  private readonly producer: Producer;
  private readonly admin: Admin;

  constructor(options: ReportTopicsOptions) {
    this.options = options;
    const kafka = new Kafka({
      brokers: [...options.brokers],
      clientId: 's2lab-verifier',
      logLevel: logLevel.NOTHING,
      retry: { retries: 100, maxRetryTime: 2000 },
    });
    this.producer = kafka.producer({ allowAutoTopicCreation: false });
    this.admin = kafka.admin();
  }

  /** Makes the topics if they do not exist, waiting for the broker as long as it takes. */
  async open(signal: AbortSignal): Promise<void> {
    const { brokers, replicas } = this.options;
    const plans = [VIOLATIONS_TOPIC, DEAD_LETTERS_TOPIC].map((topic) => ({ topic, partitions: 1, replicas }));
    await createTopics({ brokers, clientId: 's2lab-verifier' }, plans, { patienceMs: Infinity, signal });
    await Promise.all([this.producer.connect(), this.admin.connect()]);
  }

  async violation(violation: Violation): Promise<void> {
    await this.producer.send({
      topic: VIOLATIONS_TOPIC,
      acks: -1,
      messages: [
        { key: `${violation.run}/${violation.machine}/${violation.invariant}/${violation.seq}`, value: JSON.stringify(violation) },
      ],
    });
  }

  /** @param message as it was sent; of one that is too large for the topic with its headers, the beginning is kept */
  async deadLetter({ damage, where, because }: Damage, message: Uint8Array | null): Promise<void> {
    const bytes = message === null ? null : Buffer.from(message.subarray(0, LETTER_MAX));
    const headers = { damage, where, because: because.slice(0, BECAUSE_MAX), bytes: String(message?.byteLength ?? 0) };
    await this.producer.send({ topic: DEAD_LETTERS_TOPIC, acks: -1, messages: [{ key: where, value: bytes, headers }] });
  }

  /** Messages that `topic` holds at or after `positions`, in the partitions of `positions`; those before its beginning are gone. */
  async messagesAfter(topic: string, positions: ReadonlyMap<number, bigint>): Promise<number> {
    const offsets = await this.admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { partition, low, high }) => {
      const next = positions.get(partition);
      return next === undefined ? sum : sum + Math.max(0, Number(high) - Math.max(Number(low), Number(next)));
    }, 0);
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.producer.disconnect(), this.admin.disconnect()]);
  }
}
