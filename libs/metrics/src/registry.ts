import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { MetricName, MetricSpec } from './definitions.ts';
import { METRICS } from './definitions.ts';
import type { EventMetrics, Sample } from './event-metrics.ts';

/** A histogram whose values are folded elsewhere: prom-client’s own can only be fed one observation at a time. */
class FoldedHistogram extends Histogram {
  private readonly read: () => Sample[];
  private readonly about: { readonly name: string; readonly help: string };

  constructor(name: string, spec: MetricSpec, read: () => Sample[]) {
    super({ name, help: spec.help, labelNames: [...spec.labels], buckets: [...(spec.buckets ?? [])], registers: [] });
    this.read = read;
    this.about = { name, help: spec.help };
  }

  override async get(): ReturnType<Histogram['get']> {
    const values = { ...this.about, type: 'histogram', aggregator: 'sum', values: this.read() };
    return values as unknown as Awaited<ReturnType<Histogram['get']>>; // its declared type asks for a function that it never returns
  }

  /** What the registry calls for the text format. */
  async getForPromString(): ReturnType<Histogram['get']> {
    return this.get();
  }
}

/** Registers a metric that is read from the fold when somebody scrapes, so that it costs nothing in between. */
function registerFolded(registry: Registry, name: MetricName, spec: MetricSpec, read: () => Sample[]): void {
  const shape = { name, help: spec.help, labelNames: [...spec.labels], registers: [registry] };
  switch (spec.type) {
    case 'counter':
      new Counter({
        ...shape,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.inc(labels, value);
        },
      });
      return;
    case 'gauge':
      new Gauge({
        ...shape,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.set(labels, value);
        },
      });
      return;
    case 'histogram':
      registry.registerMetric(new FoldedHistogram(name, spec, read));
      return;
    default: {
      const never: never = spec.type;
      throw new TypeError(`metric type ${String(never)}`);
    }
  }
}

/** Names of the metrics of one type and source. */
type NameOf<Type extends MetricSpec['type'], From extends MetricSpec['from']> = {
  [N in MetricName]: (typeof METRICS)[N] extends { readonly type: Type; readonly from: From } ? N : never;
}[MetricName];

/**
 * The lab’s metrics of one process, named by the table METRICS and by nothing else.
 * Give it the fold of the events to expose those, and say which other sources this process is.
 */
export class LabMetrics {
  readonly registry = new Registry();
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Gauge>();

  /** @param sources what this process exposes besides the events */
  constructor(events: EventMetrics, sources: readonly ('verifier' | 'pipeline')[]) {
    for (const [name, spec] of Object.entries(METRICS) as [MetricName, MetricSpec][]) {
      if (spec.from === 'events') {
        registerFolded(this.registry, name, spec, () => events.samples(name));
      } else if (sources.includes(spec.from)) {
        const shape = { name, help: spec.help, labelNames: [...spec.labels], registers: [this.registry] };
        if (spec.type === 'counter') this.counters.set(name, new Counter(shape));
        else this.gauges.set(name, new Gauge(shape));
      }
    }
    collectDefaultMetrics({ register: this.registry });
  }

  /** The counter `name`. @throws RangeError when this process does not expose it */
  counter(name: NameOf<'counter', 'verifier' | 'pipeline'>): Counter {
    return found(this.counters.get(name), name);
  }

  /** The gauge `name`. @throws RangeError when this process does not expose it */
  gauge(name: NameOf<'gauge', 'verifier' | 'pipeline'>): Gauge {
    return found(this.gauges.get(name), name);
  }
}

function found<T>(metric: T | undefined, name: string): T {
  if (metric === undefined) throw new RangeError(`this process does not expose ${name}`);
  return metric;
}
