import type { ChartData } from '../../charts/chart.ts';
import type { GroupedSample } from '../../lab-history.ts';
import { FIELD } from '../../../sample.ts';
import type { ChartSpec } from './chart-specs.ts';

/** Rates are taken over this many samples, one second, so that they are readable. */
const RATE_SPAN = 4;

/** The data of `spec` over `samples`, with a row for each of `groups` (or each part of the chart). */
export function chartData(spec: ChartSpec, samples: readonly GroupedSample[], groups: readonly string[]): ChartData {
  const times = samples.map((sample) => sample.t);
  if (spec.parts !== undefined) {
    const rows = spec.parts.map(({ field }) =>
      samples.map((sample, i) => {
        const before = samples[Math.max(0, i - RATE_SPAN)]!;
        return before === sample ? null : (total(sample, FIELD[field]) - total(before, FIELD[field])) / (sample.t - before.t);
      }),
    );
    return { names: spec.parts.map((part) => part.name), times, rows };
  }
  const rows = groups.map((name) =>
    samples.map((sample, i) => {
      const before = samples[Math.max(0, i - RATE_SPAN)]!;
      const now = sample.groups.get(name);
      const then = before.groups.get(name);
      if (now === undefined || then === undefined || before === sample) return null;
      return spec.value(now, then, sample.t - before.t);
    }),
  );
  return { names: groups, times, rows };
}

function total(sample: GroupedSample, field: number): number {
  let sum = 0;
  for (const numbers of sample.groups.values()) sum += numbers[field]!;
  return sum;
}
