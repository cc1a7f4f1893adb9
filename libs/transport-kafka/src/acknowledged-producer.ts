import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import type { KafkaConnection, TopicPlan } from './kafka-client.ts';
import { createTopics, kafkaClient, KafkaTransportError, persist, reasonOf } from './kafka-client.ts';
import type { FrameMessage } from './messages.ts';
import { PartitionLane } from './partition-lane.ts';

/** How messages are written to a topic. */
export interface AcknowledgedProducerOptions extends KafkaConnection, TopicPlan {
  /**
   * Told when the broker has not acknowledged anything for `stallAfterMs` (with the reason), and with undefined when it goes on.
   * For a metric: nothing is lost meanwhile, deliveries just do not resolve.
   */
  readonly onStall?: (because: string | undefined) => void;
  /** By default 1 s. */
  readonly stallAfterMs?: number;
  /** How long `close` waits for what is still in flight; by default 10 s. */
  readonly drainMs?: number;
}

/** Answers of a broker that no repetition changes. */
const REFUSALS: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REQUIRED_ACKS',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'POLICY_VIOLATION',
]);

const RESEND_AFTER_MS = 200;

/**
 * Delivers messages to the partitions they name, at least once and in order within each partition: acknowledged by all in-sync replicas,
 * one batch in flight per partition, and what was not acknowledged is sent again before anything else, for ever.
 */
export class AcknowledgedProducer {
  private readonly options: AcknowledgedProducerOptions;
  private readonly lanes: readonly PartitionLane[];
  private readonly producer: Producer;
  private readonly aborting = new AbortController();
  private readonly pending = new Set<Promise<void>>();
  private connecting: Promise<void> | undefined;
  private stalledSends = 0;
  private closing: Promise<void> | undefined;
  private lastWarning = 'no acknowledgement';

  /** Connects with the first write, and creates the topic then if there is none. */
  constructor(options: AcknowledgedProducerOptions) {
    this.options = options;
    const log = (line: string): void => {
      this.lastWarning = line;
      options.log?.(line);
    };
    this.producer = kafkaClient({ ...options, log }).producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!, // Every message names its partition.
    });
    this.lanes = Array.from({ length: options.partitions }, () => new PartitionLane((messages) => this.sendUntilAcknowledged(messages)));
  }

  /** Deliveries that have not resolved yet. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /**
   * Delivers messages of one partition; resolves when the broker has acknowledged all of them.
   * @throws KafkaTransportError when the broker refuses them for good, or this was closed before they were acknowledged.
   */
  deliver(messages: readonly FrameMessage[]): Promise<void> {
    if (this.closing !== undefined)
      return Promise.reject(new KafkaTransportError(`topic ${this.options.topic}: written to after it was closed`));
    const delivered = this.lanes[messages[0]!.partition]!.push(messages);
    const settled = delivered
      .then(
        () => {},
        () => {},
      )
      .then(() => void this.pending.delete(settled));
    this.pending.add(settled);
    return delivered;
  }

  /** Waits for what is in flight, at most `drainMs`, then disconnects. Deliveries that are not acknowledged by then reject. */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    const drained = Promise.all(this.pending);
    await Promise.race([drained, delay(this.options.drainMs ?? 10_000, undefined, { ref: false })]);
    this.aborting.abort(
      new KafkaTransportError(`topic ${this.options.topic}: closed before the broker acknowledged everything (${this.lastWarning})`),
    );
    await Promise.all([this.producer.disconnect().catch(() => {}), drained]);
  }

  private connect(): Promise<void> {
    const { options } = this;
    const signal = this.aborting.signal;
    const patience = { patienceMs: Infinity, signal, onRetry: (because: string): void => void (this.lastWarning = because) };
    this.connecting ??= createTopics(options, [options], patience)
      .then(() => persist(`topic ${options.topic}`, patience, () => this.producer.connect()))
      .catch((cause: unknown) => {
        this.connecting = undefined;
        throw cause;
      });
    return this.connecting;
  }

  private async sendUntilAcknowledged(messages: readonly FrameMessage[]): Promise<void> {
    const { signal } = this.aborting;
    let stalled = false;
    const timer = setTimeout(() => {
      stalled = true;
      this.stalledSends += 1;
      if (this.stalledSends === 1) this.options.onStall?.(this.lastWarning);
    }, this.options.stallAfterMs ?? 1000);
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => (abort = () => reject(signal.reason as Error)));
    aborted.catch(() => {}); // Heard by the races below, when there is one.
    signal.addEventListener('abort', abort);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (await Promise.race([this.trySend(messages), aborted])) return;
        await Promise.race([delay(RESEND_AFTER_MS), aborted]);
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (stalled) {
        this.stalledSends -= 1;
        if (this.stalledSends === 0) this.options.onStall?.(undefined);
      }
    }
  }

  /** Whether the broker acknowledged. @throws KafkaTransportError when it never will. */
  private async trySend(messages: readonly FrameMessage[]): Promise<boolean> {
    const { topic } = this.options;
    try {
      await this.connect();
      await this.producer.send({ topic, acks: -1, messages: messages as FrameMessage[] });
      return true;
    } catch (cause) {
      if (cause instanceof KafkaTransportError) throw cause;
      const type = (cause as { type?: unknown }).type;
      if (typeof type === 'string' && REFUSALS.has(type)) {
        const first = messages[0]!;
        throw new KafkaTransportError(
          `topic ${topic}: the broker refuses the frame of machine ${first.key} from event ${String(first.headers['first_seq'])} on (${type}: ${reasonOf(cause)})`,
          { cause },
        );
      }
      this.lastWarning = reasonOf(cause);
      this.options.log?.(`kafka: not acknowledged, sent again (${this.lastWarning})`);
      // kafkajs never retries "broker not connected" by itself: the next try connects anew.
      this.connecting = undefined;
      return false;
    }
  }
}
