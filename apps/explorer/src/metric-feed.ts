import type { Panel, Query } from '@s2lab/dashboards';
import { VIEWS } from '@s2lab/dashboards';
import type { MetricRow, MetricSeries } from './metric-row.ts';

/** Milliseconds between two rows. */
const PERIOD_MS = 1_000;

/** Rows kept for a page that is opened or reloaded later: five minutes. */
const HISTORY = 300;

/** The part of prom-client’s registry that is read. */
export interface MetricSource {
  getMetricsAsJSON(): Promise<
    readonly {
      readonly name: string;
      readonly values?: readonly {
        readonly metricName?: string;
        readonly labels: Readonly<Record<string, string | number | undefined>>;
        readonly value: number;
      }[];
    }[]
  >;
}

/** What a listener of the feed hears. */
export interface MetricListener {
  /** Series that were not there before: their numbers follow those that were. */
  series(more: readonly MetricSeries[]): void;
  row(row: MetricRow): void;
}

/** Reads the metrics that the views show at a steady pace, as Prometheus would, and hands them to whoever listens. */
export class MetricFeed {
  private readonly source: MetricSource;
  private readonly known = new Map<string, number>();
  private readonly series: MetricSeries[] = [];
  private readonly rows: MetricRow[] = [];
  private readonly listeners = new Set<MetricListener>();
  private readonly shown = shownSeries();
  private readonly timer: NodeJS.Timeout;
  private reading = false;

  constructor(source: MetricSource) {
    this.source = source;
    this.timer = setInterval(() => void this.read(), PERIOD_MS);
    this.timer.unref();
  }

  /** All series so far, and the rows kept, oldest first. */
  history(): { readonly series: readonly MetricSeries[]; readonly rows: readonly MetricRow[] } {
    return { series: this.series, rows: this.rows };
  }

  /** Tells `listener` of everything from now on. @returns how to stop that */
  listen(listener: MetricListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Reads all metrics now, unless that is going on. */
  async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    const before = this.series.length;
    const values: (number | null)[] = Array.from({ length: before }, () => null);
    try {
      const metrics = await this.source.getMetricsAsJSON();
      for (const { name, values: samples = [] } of metrics)
        for (const { metricName = name, labels, value } of samples)
          if (this.shown.has(metricName)) values[this.numberOf(metricName, labels)] = value;
      values[this.numberOf('up', {})] = 1; // as Prometheus says of what it could read
    } finally {
      this.reading = false;
    }
    const row = { t: Date.now() / 1000, values };
    this.rows.push(row);
    if (this.rows.length > HISTORY) this.rows.shift();
    for (const listener of this.listeners) {
      if (this.series.length > before) listener.series(this.series.slice(before));
      listener.row(row);
    }
  }

  /** Ends the pace; listeners get nothing more. */
  close(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }

  private numberOf(name: string, labels: Readonly<Record<string, string | number | undefined>>): number {
    const key = `${name}${JSON.stringify(labels)}`;
    let number = this.known.get(key);
    if (number === undefined) {
      number = this.series.length;
      this.known.set(key, number);
      const told = Object.entries(labels).map(([label, value]) => [label, String(value)]);
      this.series.push({ name, labels: Object.fromEntries(told) as Record<string, string> });
    }
    return number;
  }
}

/** Names of the series that some view shows. */
function shownSeries(): ReadonlySet<string> {
  const names = new Set<string>();
  const look = (query: Query): void => {
    switch (query.kind) {
      case 'ratio':
        look(query.dividend);
        look(query.divisor);
        return;
      case 'orZero':
      case 'since':
        look(query.of);
        return;
      case 'zero':
        return;
      default:
        names.add(`${query.series.metric}${query.series.part}`);
    }
  };
  for (const { headline, rows, marks } of VIEWS) {
    const panels: Panel[] = [...headline, ...rows.flatMap((row) => row.panels)];
    for (const { query } of [...panels.flatMap((panel) => panel.queries), ...marks]) look(query);
  }
  return names;
}
