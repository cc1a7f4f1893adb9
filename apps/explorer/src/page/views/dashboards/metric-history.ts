import type { MetricRow, MetricSeries } from '../../../metric-row.ts';

/** Rows that the page keeps: five minutes. */
const KEPT = 300;

/** The values of all metrics over the last minutes. */
export class MetricHistory {
  series: readonly MetricSeries[] = [];
  rows: readonly MetricRow[] = [];

  /** Everything anew, as the lab has kept it. */
  replace(series: readonly MetricSeries[], rows: readonly MetricRow[]): void {
    this.series = series;
    this.rows = rows;
  }

  /** Series that were not there before. */
  born(more: readonly MetricSeries[]): void {
    this.series = [...this.series, ...more];
  }

  /** The newest row; the oldest is forgotten. */
  push(row: MetricRow): void {
    this.rows = [...this.rows.slice(1 - KEPT), row];
  }

  /** Values of `label` that some series of `metric` has, sorted. */
  valuesOf(metric: string, label: string): string[] {
    const values = new Set<string>();
    for (const { name, labels } of this.series) if (name === metric && labels[label] !== undefined) values.add(labels[label]);
    return [...values].toSorted();
  }
}
