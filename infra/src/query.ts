import { METRICS, type MetricName } from '@s2lab/metrics';
import { PROCESS_METRICS } from './process-metrics.ts';

const TABLE = { ...METRICS, ...PROCESS_METRICS };

/** A metric that a panel may show: of the lab, or of any process. */
type ShownMetric = keyof typeof TABLE;

/** What a query may be grouped by: a label of the metric, or who exposes it. */
type LabelOf<M extends ShownMetric> = (typeof TABLE)[M]['labels'][number] | 'instance' | 'job';

type HistogramName = { [M in ShownMetric]: (typeof TABLE)[M]['type'] extends 'histogram' ? M : never }[ShownMetric];

/** Names of the dashboards' variables that choose among machines; each is also the label it chooses by. */
export const MACHINE_VARIABLES = ['policy', 'machine_kind', 'workload'] as const;

/**
 * Matchers of `metric` under the variables of a dashboard about machines. Metrics of events are told by the chosen job alone: the fleet and
 * a verifier that reads its events expose the same values, and a sum over both would count everything twice.
 */
function ofMachines(metric: ShownMetric): string[] {
  if (!isOfEvents(metric)) return [];
  const { labels } = METRICS[metric];
  const chosen = MACHINE_VARIABLES.filter((label) => (labels as readonly string[]).includes(label));
  return ['job="$job"', 'instance=~"$instance"', ...chosen.map((label) => `${label}=~"$${label}"`)];
}

function isOfEvents(metric: ShownMetric): metric is MetricName {
  return metric in METRICS && METRICS[metric as MetricName].from === 'events';
}

/** Writes PromQL for the panels of one kind of dashboard, under that dashboard's variables. */
class Queries {
  private readonly matchers: (metric: ShownMetric) => readonly string[];

  constructor(matchers: (metric: ShownMetric) => readonly string[]) {
    this.matchers = matchers;
  }

  /** Sum of a gauge, or of a counter since its process started, by the labels given. `only` are matchers beside those of the variables. */
  total<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = [], only: readonly string[] = []): string {
    return aggregate('sum', this.select(metric, '', only), by);
  }

  /** Largest value of a gauge by the labels given. */
  largest<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = []): string {
    return aggregate('max', this.select(metric), by);
  }

  /** Smallest value of a gauge by the labels given. */
  smallest<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = []): string {
    return aggregate('min', this.select(metric), by);
  }

  /** Increase of a counter per second of wall time, by the labels given. `only` are matchers beside those of the variables. */
  perSecond<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[] = [], only: readonly string[] = []): string {
    return aggregate('sum', `rate(${this.select(metric, '', only)}[$__rate_interval])`, by);
  }

  /**
   * Increase of a counter per virtual second of one machine: a figure of the design, which neither the speed of the run nor the number of
   * machines changes. `kinds` are labels of the counter that the machines' time does not have.
   */
  perMachineSecond<M extends ShownMetric>(
    metric: M,
    by: readonly (LabelOf<M> & LabelOf<'s2lab_virtual_time_seconds_total'>)[] = [],
    kinds: readonly LabelOf<M>[] = [],
    only: readonly string[] = [],
  ): string {
    const time = this.perSecond('s2lab_virtual_time_seconds_total', by);
    const matching = kinds.length > 0 ? `/ ignoring (${kinds.join(', ')}) group_left ()` : '/';
    return `${this.perSecond(metric, [...by, ...kinds], only)} ${matching} ${time}`;
  }

  /** What counts per second in each bucket of a histogram: the columns of a heat map. */
  buckets(metric: HistogramName): string {
    return `sum by (le) (rate(${this.select(metric, '_bucket')}[$__rate_interval]))`;
  }

  /** The sum of a histogram's observations per second of wall time, by the labels given. */
  observedPerSecond<M extends HistogramName>(metric: M, by: readonly LabelOf<M>[] = []): string {
    return aggregate('sum', `rate(${this.select(metric, '_sum')}[$__rate_interval])`, by);
  }

  /** Share of a metric's whole that has `label="value"`, 0 to 1, by the labels given; of the increase where it is a counter. */
  share<M extends ShownMetric>(metric: M, label: LabelOf<M>, value: string, by: readonly LabelOf<M>[] = []): string {
    const of = (only: readonly string[]): string => {
      const selected = this.select(metric, '', only);
      return aggregate('sum', TABLE[metric].type === 'counter' ? `rate(${selected}[$__rate_interval])` : selected, by);
    };
    return `${of([`${label}="${value}"`])} / ${of([])}`;
  }

  /** What an annotation marks: where a counter has grown, by the labels given. */
  grown<M extends ShownMetric>(metric: M, by: readonly LabelOf<M>[]): string {
    return `${aggregate('sum', `increase(${this.select(metric)}[$__rate_interval])`, by)} > 0`;
  }

  private select(metric: ShownMetric, suffix = '', only: readonly string[] = []): string {
    const all = [...this.matchers(metric), ...only];
    return all.length > 0 ? `${metric}${suffix}{${all.join(', ')}}` : `${metric}${suffix}`;
  }
}

/** Queries of dashboards about machines. */
export const machines: Queries = new Queries(ofMachines);

/** Queries of dashboards about the programs that run them. */
export const services: Queries = new Queries(() => ['job=~"$job"', 'instance=~"$instance"']);

/** Zero where the query gives nothing: for counters whose series are born with their first event. */
export function orZero(query: string): string {
  return `${query} or vector(0)`;
}

function aggregate(operator: 'sum' | 'max' | 'min', expression: string, by: readonly string[]): string {
  return by.length > 0 ? `${operator} by (${by.join(', ')}) (${expression})` : `${operator}(${expression})`;
}
