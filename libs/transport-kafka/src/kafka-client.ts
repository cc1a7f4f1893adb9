import { setTimeout as delay } from 'node:timers/promises';
import './fast-crc32c.ts'; // First: it must be there before kafkajs is.
import { Kafka, logLevel } from 'kafkajs';

/** What every user of a Kafka cluster needs to say. */
export interface KafkaConnection {
  /** `host:port` of at least one broker. */
  readonly brokers: readonly string[];
  /** Names this client in the broker's logs and metrics. */
  readonly clientId: string;
  /** Takes the client library's warnings and errors, one line each; by default they are dropped. */
  readonly log?: (line: string) => void;
}

/** Something that Kafka cannot do for us. The message is one line: which topic or brokers, why, what to do. */
export class KafkaTransportError extends Error {
  override readonly name = 'KafkaTransportError';
}

/**
 * Retries inside kafkajs, about 3 s of them. Then it gives up, and our own loops take over: they never do, and they end when they are told
 * to, which kafkajs's cannot (docs/adr/0005).
 */
const RETRY = { initialRetryTime: 100, maxRetryTime: 2000, retries: 5 } as const;

/** How long to wait for a broker to accept a connection. */
const CONNECT_TIMEOUT_MS = 3000;

/** A kafkajs client whose own log lines go to `connection.log`; `retries` inside one call before it fails. */
export function kafkaClient(connection: KafkaConnection, retries: number = RETRY.retries): Kafka {
  return new Kafka({
    brokers: [...connection.brokers],
    clientId: connection.clientId,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    retry: { ...RETRY, retries },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log }) =>
        connection.log?.(`kafka ${namespace}: ${log.message}${typeof log['error'] === 'string' ? ` (${log['error']})` : ''}`),
  });
}

/** Retries of administrative calls: few, so that the caller hears soon that nobody answers. */
export const ADMIN_RETRIES = 1;

/** One line of what went wrong. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.split('\n', 1)[0]! : String(cause);
}

/** A topic and its stated number of partitions. */
export interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  /** Copies of each partition; by default 1. */
  readonly replicas?: number;
  /** Settings of the topic when it is made, by Kafka's names. */
  readonly config?: Readonly<Record<string, string>>;
}

/** How long to keep trying when no broker answers. */
export interface Patience {
  /** Milliseconds; Infinity = for ever. By default 10 s. */
  readonly patienceMs?: number;
  /** Told after every failed try. */
  readonly onRetry?: (because: string) => void;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 2000;

/**
 * Repeats `attempt` until it succeeds, waiting longer each time (100 ms to 2 s).
 * @throws KafkaTransportError at once when that is what `attempt` threw, or when patience ends; the reason of the abort signal.
 */
export async function persist<T>(what: string, patience: Patience, attempt: () => Promise<T>): Promise<T> {
  const { patienceMs = 10_000, signal } = patience;
  let waited = 0;
  for (let backoff = FIRST_BACKOFF_MS; ; backoff = Math.min(2 * backoff, LAST_BACKOFF_MS)) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (cause) {
      if (cause instanceof KafkaTransportError) throw cause;
      patience.onRetry?.(reasonOf(cause));
      if (waited >= patienceMs)
        throw new KafkaTransportError(`${what}: no success for ${Math.round(waited / 1000)} s (${reasonOf(cause)}); is the broker up?`, {
          cause,
        });
    }
    await delay(backoff, undefined, signal === undefined ? {} : { signal });
    waited += backoff;
  }
}

/**
 * Makes the topics that do not exist yet, with their stated numbers of partitions, and checks those that exist.
 * @throws KafkaTransportError when a topic has another number of partitions than stated, or no broker answers within the patience.
 */
export async function createTopics(connection: KafkaConnection, plans: readonly TopicPlan[], patience: Patience = {}): Promise<void> {
  const names = plans.map(({ topic }) => topic);
  await persist(`topics ${names.join(', ')} on ${connection.brokers.join(', ')}`, patience, async () => {
    const admin = kafkaClient(connection, ADMIN_RETRIES).admin();
    try {
      await admin.connect();
      const existing = new Set(await admin.listTopics());
      const topics = plans
        .filter(({ topic }) => !existing.has(topic))
        .map(({ topic, partitions, replicas = 1, config = {} }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        }));
      if (topics.length > 0) await admin.createTopics({ topics, waitForLeaders: true });
      const { topics: found } = await admin.fetchTopicMetadata({ topics: names });
      for (const { topic, partitions } of plans) {
        const has = found.find(({ name }) => name === topic)?.partitions.length ?? 0;
        if (has !== partitions) {
          throw new KafkaTransportError(
            `topic ${topic} has ${has} partitions, not the ${partitions} stated: state ${has}, or delete the topic`,
          );
        }
      }
    } finally {
      await admin.disconnect().catch(() => {});
    }
  });
}
