import type { EventSink, Frame } from '@s2lab/events';

/**
 * Keeps several writes of a slow sink in flight. Only for sinks that copy the rows before their first wait, as KafkaSink does.
 * A write resolves as soon as fewer than `window` are outstanding; `close` resolves when all are safe. The first failure is the
 * answer to every later write and to `close`, so none is overlooked.
 */
export class WindowedSink implements EventSink {
  private readonly inner: EventSink;
  private readonly window: number;
  private readonly pending = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(inner: EventSink, window: number) {
    this.inner = inner;
    this.window = window;
  }

  async write(frame: Frame): Promise<void> {
    this.rethrow();
    const written: Promise<void> = this.inner.write(frame).then(
      () => {
        this.pending.delete(written);
      },
      (error: unknown) => {
        this.pending.delete(written);
        this.failure ??= { error };
      },
    );
    this.pending.add(written);
    while (this.pending.size >= this.window) await Promise.race(this.pending);
    this.rethrow();
  }

  async close(): Promise<void> {
    const closed = this.inner.close(); // it waits for what is in flight, as long as it thinks right
    await Promise.all([...this.pending, closed]);
    this.rethrow();
  }

  private rethrow(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}
