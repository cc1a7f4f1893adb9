import { METRICS, type MetricName } from '@s2lab/metrics';

type LabelOf<M extends MetricName> = (typeof METRICS)[M]['labels'][number];

/** Names of the dashboards' variables that choose among machines; each is also the label it chooses by. */
export const MACHINE_VARIABLES = ['policy', 'machine_kind', 'workload'] as const;

/**
 * Selector of `metric` under the dashboard's variables. Metrics of events are told by the chosen job alone: the fleet and a verifier
 * that reads its events expose the same values, and a sum over both would count everything twice.
 */
function selector(metric: MetricName): string {
  const { from, labels } = METRICS[metric];
  if (from !== 'events') return metric;
  const chosen = MACHINE_VARIABLES.filter((label) => (labels as readonly string[]).includes(label));
  const matchers = ['job="$job"', 'instance=~"$instance"', ...chosen.map((label) => `${label}=~"$${label}"`)];
  return `${metric}{${matchers.join(', ')}}`;
}

/** Sum of a gauge, or of a counter since its process started, by the labels given. */
export function total<M extends MetricName>(metric: M, by: readonly LabelOf<M>[] = []): string {
  return aggregate('sum', selector(metric), by);
}

/** Largest value of a gauge by the labels given. */
export function largest<M extends MetricName>(metric: M, by: readonly LabelOf<M>[] = []): string {
  return aggregate('max', selector(metric), by);
}

/** Increase of a counter per second of wall time, by the labels given. */
export function perSecond<M extends MetricName>(metric: M, by: readonly LabelOf<M>[] = []): string {
  return aggregate('sum', `rate(${selector(metric)}[$__rate_interval])`, by);
}

/**
 * Increase of a counter per virtual second of one machine: a figure of the design, which neither the speed of the run nor the number of
 * machines changes. `kinds` are labels of the counter that the machines' time does not have.
 */
export function perMachineSecond<M extends MetricName>(
  metric: M,
  by: readonly (LabelOf<M> & LabelOf<'s2lab_virtual_time_seconds_total'>)[] = [],
  kinds: readonly LabelOf<M>[] = [],
): string {
  const time = perSecond('s2lab_virtual_time_seconds_total', by);
  const matching = kinds.length > 0 ? `/ ignoring (${kinds.join(', ')}) group_left ()` : '/';
  return `${perSecond(metric, [...by, ...kinds])} ${matching} ${time}`;
}

function aggregate(operator: 'sum' | 'max', expression: string, by: readonly string[]): string {
  return by.length > 0 ? `${operator} by (${by.join(', ')}) (${expression})` : `${operator}(${expression})`;
}
