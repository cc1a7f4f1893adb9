import { KafkaTransportError } from './kafka-client.ts';
import type { FrameMessage } from './messages.ts';
import { BATCH_BYTES } from './messages.ts';

interface Waiting {
  readonly messages: readonly FrameMessage[];
  readonly done: () => void;
  readonly failed: (cause: unknown) => void;
}

/**
 * The queue of one partition. One batch is in flight at a time, and a batch that was not acknowledged goes again before any other: that is
 * what keeps order, and what makes a loss impossible.
 */
export class PartitionLane {
  private readonly waiting: Waiting[] = [];
  private readonly send: (messages: readonly FrameMessage[]) => Promise<void>;
  private busy = false;
  private failure: KafkaTransportError | undefined;

  /** @param send resolves when the broker has acknowledged the messages, however long that takes; rejects only when it never will */
  constructor(send: (messages: readonly FrameMessage[]) => Promise<void>) {
    this.send = send;
  }

  /** Queues the messages of one frame; resolves when all of them are acknowledged. @throws what `send` rejected with */
  push(messages: readonly FrameMessage[]): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((done, failed) => {
      this.waiting.push({ messages, done, failed });
      if (!this.busy) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    // Frames that are pushed in the same turn travel in one request.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.takeBatch();
      try {
        for (const group of grouped(batch.flatMap(({ messages }) => messages))) await this.send(group);
        for (const { done } of batch) done();
      } catch (cause) {
        this.failure = cause instanceof KafkaTransportError ? cause : new KafkaTransportError(String(cause), { cause });
        for (const { failed } of [...batch, ...this.waiting.splice(0)]) failed(this.failure);
      }
    }
    this.busy = false;
  }

  private takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { messages } of this.waiting) {
      for (const { value } of messages) bytes += value.byteLength;
      if (count > 0 && bytes > BATCH_BYTES) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }
}

/** Messages in their order, in groups of at most BATCH_BYTES: only the parts of a frame that was split need more than one. */
function* grouped(messages: readonly FrameMessage[]): Generator<FrameMessage[]> {
  let group: FrameMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (group.length > 0 && bytes + message.value.byteLength > BATCH_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(message);
    bytes += message.value.byteLength;
  }
  if (group.length > 0) yield group;
}
