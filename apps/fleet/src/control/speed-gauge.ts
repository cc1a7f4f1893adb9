import type { EventSink, Frame } from '@s2lab/events';
import { wide } from '@s2lab/events';
import type { LabMetrics } from '@s2lab/metrics';
import type { Pace } from './pace.ts';

/** Wall milliseconds over which the speed that is reached is measured. */
const WINDOW_MS = 2_000;

/** A sink that measures how fast virtual time goes, beside what was asked for. */
export class SpeedGauge implements EventSink {
  private readonly metrics: LabMetrics;
  private readonly pace: Pace;
  private run = '';
  private since = { atMs: 0, virtualNs: 0 };
  private virtualNs = 0;
  private ratio = 0;

  constructor(metrics: LabMetrics, pace: Pace) {
    this.metrics = metrics;
    this.pace = pace;
    this.tell();
  }

  /** Virtual seconds per wall second reached lately; 0 before it is known. */
  get reached(): number {
    return this.pace.paused ? 0 : this.ratio;
  }

  async write(frame: Frame): Promise<void> {
    const { rows, origin } = frame;
    const now = performance.now();
    if (origin.run !== this.run) {
      this.run = origin.run;
      this.virtualNs = 0;
      this.since = { atMs: now, virtualNs: 0 };
    }
    this.virtualNs = Math.max(this.virtualNs, wide(rows.at, rows.length - 1));
    if (now - this.since.atMs < WINDOW_MS) return;
    this.ratio = (this.virtualNs - this.since.virtualNs) / 1e6 / (now - this.since.atMs);
    this.since = { atMs: now, virtualNs: this.virtualNs };
    this.tell();
  }

  async close(): Promise<void> {}

  private tell(): void {
    const gauge = this.metrics.gauge('s2lab_speed_ratio');
    gauge.set({ kind: 'asked' }, this.pace.speed);
    gauge.set({ kind: 'reached' }, this.ratio);
  }
}
