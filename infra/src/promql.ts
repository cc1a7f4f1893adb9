import { parser } from '@prometheus-io/lezer-promql';

/** What a PromQL expression names. */
export interface PromqlNames {
  /** Metrics, each once, in order of appearance. */
  readonly metrics: readonly string[];
  /** Labels that are matched or grouped by, each once, in order of appearance. */
  readonly labels: readonly string[];
}

/**
 * Metrics and labels that a PromQL expression names. Grafana's interval variables are accepted where a duration may stand.
 * @throws when the expression does not parse, with the place.
 */
export function namesOf(expression: string): PromqlNames {
  const text = expression.replaceAll('$__rate_interval', '1m').replaceAll('$__interval', '1m').replaceAll('$__range', '1h');
  const metrics = new Set<string>();
  const labels = new Set<string>();
  parser.parse(text).iterate({
    enter: ({ type, name, from, to, node }) => {
      if (type.isError) throw new Error(`PromQL does not parse at character ${from}, before "${text.slice(from, from + 20)}": ${text}`);
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.add(text.slice(from, to));
      if (name === 'LabelName') labels.add(text.slice(from, to));
    },
  });
  return { metrics: [...metrics], labels: [...labels] };
}

/** Labels that Prometheus itself puts on what it scrapes or computes. */
const LABELS_OF_PROMETHEUS = ['job', 'instance', 'le'];

/**
 * What is wrong with an expression: a metric of the lab that is not in the table, or a label that none of its metrics has.
 * @param table metric definitions by name.
 * @param families names beside the table that may stand: metrics of Prometheus itself, such as `up`.
 * @returns one sentence per fault; empty when there is none.
 * @throws when the expression does not parse.
 */
export function faultsOf(
  expression: string,
  table: Readonly<Record<string, { readonly type: string; readonly labels: readonly string[] }>>,
  families: readonly string[] = [],
): string[] {
  const { metrics, labels } = namesOf(expression);
  const known = new Set(LABELS_OF_PROMETHEUS);
  const faults: string[] = [];
  for (const metric of metrics) {
    const spec = table[metric] ?? histogramOf(metric, table);
    if (spec) for (const label of spec.labels) known.add(label);
    else if (!families.includes(metric)) faults.push(`no metric ${metric} is defined: ${expression}`);
  }
  for (const label of labels) if (!known.has(label)) faults.push(`no metric of it has the label ${label}: ${expression}`);
  return faults;
}

function histogramOf<S extends { readonly type: string }>(metric: string, table: Readonly<Record<string, S>>): S | undefined {
  const spec = table[metric.replace(/_(bucket|sum|count)$/, '')];
  return spec?.type === 'histogram' ? spec : undefined;
}
