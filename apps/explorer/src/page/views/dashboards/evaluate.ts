import type { Query, Series } from '@s2lab/dashboards';
import type { MetricRow, MetricSeries } from '../../../metric-row.ts';

/*
 * What PromQL does in Grafana, for the page: the same queries over the rows of the lab that runs behind it.
 */

/** Rates are taken over this many rows: five seconds. */
const SPAN = 5;

/** Labels that Prometheus puts on what it scrapes: there is one program, which needs no name. */
const OF_THE_LAB = { job: 'lab', instance: '' };

/** What a query is asked of. */
export interface Samples {
  readonly series: readonly MetricSeries[];
  readonly rows: readonly MetricRow[];
}

/** Values of labels that the reader has chosen; a label that is absent is not chosen by. */
export type Choice = Readonly<Record<string, string>>;

/** One curve: the labels it is grouped by, and its value at the `i`th row; null = there is none. */
export interface Curve {
  readonly labels: Readonly<Record<string, string>>;
  at(i: number): number | null;
}

/** The curves of a query, in the order in which their series came. */
export function curvesOf(query: Query, samples: Samples, choice: Choice): Curve[] {
  switch (query.kind) {
    case 'zero':
      return [{ labels: {}, at: () => 0 }];
    case 'orZero': {
      const curves = curvesOf(query.of, samples, choice);
      return curves.length > 0 ? curves : [{ labels: {}, at: () => 0 }];
    }
    case 'since':
      return curvesOf(query.of, samples, choice).map(({ labels, at }) => ({ labels, at: (i) => less(samples.rows[i]!.t, at(i)) }));
    case 'ratio':
      return ratios(query, samples, choice);
    default:
      return aggregates(query, samples, choice);
  }
}

/** A legend with the values of a curve’s labels in it. */
export function legendOf(template: string, labels: Readonly<Record<string, string>>): string {
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
  return text.replace(/^[ ,]+/, '').replace(/ +(?=,|$)/g, ''); // a label without a value leaves a hole
}

function less(from: number, value: number | null): number | null {
  return value === null ? null : from - value;
}

function ratios({ dividend, divisor, ignoring }: Extract<Query, { kind: 'ratio' }>, samples: Samples, choice: Choice): Curve[] {
  const below = new Map(curvesOf(divisor, samples, choice).map((curve) => [keyOf(curve.labels, ignoring), curve]));
  return curvesOf(dividend, samples, choice).flatMap(({ labels, at }) => {
    const by = below.get(keyOf(labels, ignoring));
    if (by === undefined) return [];
    const value = (i: number): number | null => {
      const a = at(i);
      const b = by.at(i);
      return a === null || b === null || b === 0 ? null : a / b;
    };
    return [{ labels, at: value }];
  });
}

function aggregates({ kind, series, by }: Extract<Query, { series: Series }>, { series: all, rows }: Samples, choice: Choice): Curve[] {
  const groups = new Map<string, { readonly labels: Record<string, string>; readonly members: number[] }>();
  all.forEach((candidate, number) => {
    const labels: Readonly<Record<string, string>> = { ...OF_THE_LAB, ...candidate.labels };
    if (candidate.name !== `${series.metric}${series.part}` || !isWanted(labels, series, choice)) return;
    const own = Object.fromEntries(by.map((label) => [label, labels[label] ?? '']));
    const key = keyOf(own, []);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: own, members: [number] });
    else group.members.push(number);
  });
  return Array.from(groups.values(), ({ labels, members }) => ({ labels, at: (i: number) => combined(kind, members, series, rows, i) }));
}

function isWanted(labels: Readonly<Record<string, string>>, { chosen, where }: Series, choice: Choice): boolean {
  for (const label in where) if (labels[label] !== where[label]) return false;
  return chosen.every(({ label }) => choice[label] === undefined || choice[label] === labels[label]);
}

function combined(
  kind: 'sum' | 'max' | 'min' | 'count',
  members: readonly number[],
  series: Series,
  rows: readonly MetricRow[],
  i: number,
): number | null {
  let result: number | null = null;
  for (const member of members) {
    const value = valueOf(member, series, rows, i);
    if (value === null) continue;
    if (kind === 'count') result = (result ?? 0) + 1;
    else if (result === null) result = value;
    else result = kind === 'sum' ? result + value : kind === 'max' ? Math.max(result, value) : Math.min(result, value);
  }
  return result;
}

function valueOf(member: number, { over }: Series, rows: readonly MetricRow[], i: number): number | null {
  const now = rows[i]!.values[member] ?? null;
  if (over === 'now' || now === null) return now;
  const before = rows[Math.max(0, i - SPAN)]!;
  const seconds = rows[i]!.t - before.t;
  if (seconds <= 0) return null;
  const growth = now - (before.values[member] ?? 0); // a series is born at zero
  return over === 'span' ? growth : growth / seconds;
}

function keyOf(labels: Readonly<Record<string, string>>, without: readonly string[]): string {
  return Object.keys(labels)
    .filter((label) => !without.includes(label))
    .toSorted()
    .map((label) => `${label}=${labels[label]}`)
    .join('\n');
}
