import { METRICS, type MetricName } from '@s2lab/metrics';
import { PROCESS_METRICS } from './process-metrics.ts';

const TABLE = { ...METRICS, ...PROCESS_METRICS };

/** A metric that a panel may show: of the lab, or of any process. */
type ShownMetric = keyof typeof TABLE;

/** What a query may be grouped by: a label of the metric, or who exposes it. */
type LabelOf<M extends ShownMetric> = (typeof TABLE)[M]['labels'][number] | 'instance' | 'job';

type HistogramName = { [M in ShownMetric]: (typeof TABLE)[M]['type'] extends 'histogram' ? M : never }[ShownMetric];

/** Names of the variables that choose among machines; each is also the label it chooses by. */
export const MACHINE_VARIABLES = ['policy', 'machine_kind', 'workload'] as const;

/** Time series of one metric, and what is looked at of each. */
export interface Series {
  readonly metric: string;
  /** Series of a histogram: its buckets or its sum. */
  readonly part: '' | '_bucket' | '_sum';
  /** The value now, its growth per second of wall time, or its growth over the time that a rate is taken over. */
  readonly over: 'now' | 'second' | 'span';
  /** Labels whose value the reader chooses by the variable of that name: one value, or several at once. */
  readonly chosen: readonly { readonly label: string; readonly several: boolean }[];
  /** Labels with a value that the panel demands. */
  readonly where: Readonly<Record<string, string>>;
}

/** What a panel asks for: PromQL for Grafana (promql.ts) and the curves of the page are both made of it. Plain data. */
export type Query =
  | { readonly kind: 'sum' | 'max' | 'min' | 'count'; readonly series: Series; readonly by: readonly string[] }
  /** One value by another; `ignoring` are labels that only the dividend has. */
  | { readonly kind: 'ratio'; readonly dividend: Query; readonly divisor: Query; readonly ignoring: readonly string[] }
  /** Zero where the query gives nothing: for counters whose series are born with their first event. */
  | { readonly kind: 'orZero'; readonly of: Query }
  | { readonly kind: 'zero' }
  /** Seconds since the moment that the query tells, in seconds since 1970. */
  | { readonly kind: 'since'; readonly of: Query };

type Aggregate = Extract<Query, { readonly series: Series }>['kind'];

/**
 * What is chosen of `metric` on a view about machines. Metrics of events are told by the chosen job alone: the fleet and
 * a verifier that reads its events expose the same values, and a sum over both would count everything twice.
 */
function ofMachines(metric: ShownMetric): Series['chosen'] {
  if (!isOfEvents(metric)) return [];
  const { labels } = METRICS[metric];
  const chosen = MACHINE_VARIABLES.filter((label) => (labels as readonly string[]).includes(label));
  return [{ label: 'job', several: false }, ...['instance', ...chosen].map((label) => ({ label, several: true }))];
}

function isOfEvents(metric: ShownMetric): metric is MetricName {
  return metric in METRICS && METRICS[metric as MetricName].from === 'events';
}

/** Writes the queries of one kind of view, under that view's variables. */
class Queries {
  private readonly chosen: (metric: ShownMetric) => Series['chosen'];

  constructor(chosen: (metric: ShownMetric) => Series['chosen']) {
    this.chosen = chosen;
  }

  /** Sum of a gauge, or of a counter since its process started, by the labels given; `where` demands values of labels. */
  total<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = [], where: { readonly [L in LabelOf<M>]?: string } = {}): Query {
    return this.aggregate('sum', metric, { where: where as Readonly<Record<string, string>> }, by);
  }

  /** Largest value of a gauge by the labels given. */
  largest<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = []): Query {
    return this.aggregate('max', metric, {}, by);
  }

  /** Smallest value of a gauge by the labels given. */
  smallest<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = []): Query {
    return this.aggregate('min', metric, {}, by);
  }

  /** How many series a metric has. */
  count(metric: ShownMetric): Query {
    return this.aggregate('count', metric, {}, []);
  }

  /** Increase of a counter per second of wall time, by the labels given. */
  perSecond<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = []): Query {
    return this.aggregate('sum', metric, { over: 'second' }, by);
  }

  /**
   * Increase of a counter per virtual second of one machine: a figure of the design, which neither the speed of the run nor the number of
   * machines changes. `kinds` are labels of the counter that the machines' time does not have.
   */
  perMachineSecond<M extends ShownMetric>(
    metric: M,
    by: readonly (LabelOf<M> & LabelOf<'s2lab_virtual_time_seconds_total'>)[] = [],
    kinds: readonly LabelOf<M>[] = [],
  ): Query {
    return ratio(this.perSecond(metric, [...by, ...kinds]), this.perSecond('s2lab_virtual_time_seconds_total', by), kinds);
  }

  /** What counts per second in each bucket of a histogram: the columns of a heat map. */
  buckets(metric: HistogramName): Query {
    return this.aggregate('sum', metric, { over: 'second', part: '_bucket' }, ['le']);
  }

  /** The sum of a histogram's observations per second of wall time, by the labels given. */
  observedPerSecond<M extends HistogramName>(metric: M, by: readonly LabelOf<M>[] = []): Query {
    return this.aggregate('sum', metric, { over: 'second', part: '_sum' }, by);
  }

  /** Share of a metric's whole that has `label="value"`, 0 to 1, by the labels given; of the increase where it is a counter. */
  share<M extends ShownMetric>(metric: M, label: LabelOf<M>, value: string, by: readonly LabelOf<M>[] = []): Query {
    const over = TABLE[metric].type === 'counter' ? 'second' : 'now';
    return ratio(this.aggregate('sum', metric, { over, where: { [label]: value } }, by), this.aggregate('sum', metric, { over }, by));
  }

  /** How much a counter has grown lately, by the labels given: for marks. */
  growth<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[]): Query {
    return this.aggregate('sum', metric, { over: 'span' }, by);
  }

  private aggregate(kind: Aggregate, metric: ShownMetric, series: Partial<Series>, by: readonly string[]): Query {
    return { kind, series: { metric, part: '', over: 'now', where: {}, ...series, chosen: this.chosen(metric) }, by };
  }
}

/** Queries of views about machines. */
export const machines: Queries = new Queries(ofMachines);

/** Queries of views about the programs that run them. */
export const services: Queries = new Queries(() => ['job', 'instance'].map((label) => ({ label, several: true })));

/** One value by another. `ignoring` are labels that only the dividend has. */
export function ratio(dividend: Query, divisor: Query, ignoring: readonly string[] = []): Query {
  return { kind: 'ratio', dividend, divisor, ignoring };
}

/** Zero where the query gives nothing: for counters whose series are born with their first event. */
export function orZero(of: Query): Query {
  return { kind: 'orZero', of };
}

/** Always zero. */
export const ZERO: Query = { kind: 'zero' };

/** Seconds since the moment that the query tells, in seconds since 1970. */
export function since(of: Query): Query {
  return { kind: 'since', of };
}
