import type { EventSink, Frame } from '@s2lab/events';
import type { AcknowledgedProducerOptions } from './acknowledged-producer.ts';
import { AcknowledgedProducer } from './acknowledged-producer.ts';
import { frameMessages } from './messages.ts';

/** How frames are written to a topic. */
export type KafkaSinkOptions = AcknowledgedProducerOptions;

/**
 * Writes frames to a Kafka topic, keyed by machine, acknowledged by all in-sync replicas. A write resolves when its frame is acknowledged.
 * When the broker is slow or gone, writes wait, `onStall` says so, and they go on when it is back: at least once, in the order of each
 * machine. Why there is no idempotent producer here: docs/adr/0005.
 */
export class KafkaSink implements EventSink {
  private readonly options: KafkaSinkOptions;
  private readonly producer: AcknowledgedProducer;
  private acknowledgedBytes = 0;

  /** Connects with the first write, and creates the topic then if there is none. */
  constructor(options: KafkaSinkOptions) {
    this.options = options;
    this.producer = new AcknowledgedProducer(options);
  }

  /** Frames whose write has not resolved yet. */
  get pendingCount(): number {
    return this.producer.pendingCount;
  }

  /** Bytes of the messages acknowledged so far, without Kafka's own headers. */
  get byteCount(): number {
    return this.acknowledgedBytes;
  }

  /**
   * Writes a frame; resolves when the broker has acknowledged all of it. The rows are copied before the first wait.
   * @throws KafkaTransportError when the broker refuses it for good, or the sink was closed before it was acknowledged; RangeError when
   * the frame cannot be encoded.
   */
  async write(frame: Frame): Promise<void> {
    const messages = frameMessages(frame, this.options.partitions);
    await this.producer.deliver(messages);
    for (const { value } of messages) this.acknowledgedBytes += value.byteLength;
  }

  /** Waits for what is in flight, at most `drainMs`, then disconnects. Writes that are not acknowledged by then reject. */
  close(): Promise<void> {
    return this.producer.close();
  }
}
