import type { EventSink, Frame } from '@s2lab/events';
import type { EventMetrics, LabMetrics } from '@s2lab/metrics';

/** Milliseconds after which a write that has not resolved is called a stall. */
const STALL_MS = 1_000;

/** A sink whose frames, bytes and waiting are measured under the name `sink`. */
export class MeteredSink implements EventSink {
  private readonly inner: EventSink;
  private readonly name: string;
  private readonly metrics: LabMetrics;
  private readonly byteCount: () => number;
  private readonly takes: () => boolean;
  private bytesTold = 0;

  /**
   * @param byteCount bytes the inner sink wrote so far; 0 for one that writes none
   * @param takes whether it takes frames at all: one that has given up drops them, and what it drops is not counted
   */
  constructor(inner: EventSink, name: string, metrics: LabMetrics, byteCount: () => number = () => 0, takes: () => boolean = () => true) {
    this.inner = inner;
    this.name = name;
    this.metrics = metrics;
    this.byteCount = byteCount;
    this.takes = takes;
    metrics.gauge('s2lab_pipeline_sink_stalled').set({ sink: name }, 0);
    metrics.counter('s2lab_pipeline_backpressure_seconds_total').inc({ sink: name }, 0);
  }

  async write(frame: Frame): Promise<void> {
    const labels = { sink: this.name };
    const stalled = this.metrics.gauge('s2lab_pipeline_sink_stalled');
    const began = performance.now();
    const timer = setTimeout(() => stalled.set(labels, 1), STALL_MS);
    try {
      await this.inner.write(frame);
    } finally {
      clearTimeout(timer);
      this.metrics.counter('s2lab_pipeline_backpressure_seconds_total').inc(labels, (performance.now() - began) / 1000);
    }
    stalled.set(labels, 0);
    if (!this.takes()) return;
    this.metrics.counter('s2lab_pipeline_frames_total').inc(labels);
    this.metrics.counter('s2lab_pipeline_events_total').inc(labels, frame.rows.length);
    const bytes = this.byteCount();
    this.metrics.counter('s2lab_pipeline_bytes_total').inc(labels, bytes - this.bytesTold);
    this.bytesTold = bytes;
  }

  async close(): Promise<void> {
    await this.inner.close();
  }
}

/** A sink that folds the frames into metrics. */
export class MetricsSink implements EventSink {
  private readonly metrics: EventMetrics;

  constructor(metrics: EventMetrics) {
    this.metrics = metrics;
  }

  async write(frame: Frame): Promise<void> {
    this.metrics.observe(frame);
  }

  async close(): Promise<void> {}
}
