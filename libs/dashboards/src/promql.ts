import type { Mark } from './panel.ts';
import type { Query, Series } from './query.ts';

/** A query as PromQL, under the variables of a dashboard in Grafana. */
export function promql(query: Query): string {
  switch (query.kind) {
    case 'ratio': {
      const { dividend, divisor, ignoring } = query;
      const matching = ignoring.length > 0 ? `/ ignoring (${ignoring.join(', ')}) group_left ()` : '/';
      return `${promql(dividend)} ${matching} ${promql(divisor)}`;
    }
    case 'orZero':
      return `${promql(query.of)} or vector(0)`;
    case 'zero':
      return 'vector(0)';
    case 'since':
      return `time() - ${promql(query.of)}`;
    default: {
      const { kind, by, series } = query;
      return by.length > 0 ? `${kind} by (${by.join(', ')}) (${values(series)})` : `${kind}(${values(series)})`;
    }
  }
}

/** The PromQL of an annotation: it gives a value where there is something to mark. */
export function markPromql({ query, when }: Mark): string {
  return `${promql(query)} ${when === 'zero' ? '== 0' : '> 0'}`;
}

function values({ metric, part, over, chosen, where }: Series): string {
  const matchers = [
    ...chosen.map(({ label, several }) => `${label}${several ? '=~' : '='}"$${label}"`),
    ...Object.entries(where).map(([label, value]) => `${label}="${value}"`),
  ];
  const selected = matchers.length > 0 ? `${metric}${part}{${matchers.join(', ')}}` : `${metric}${part}`;
  if (over === 'now') return selected;
  return `${over === 'second' ? 'rate' : 'increase'}(${selected}[$__rate_interval])`;
}
