import type { Curve } from './evaluate.ts';

/** One bucket of a histogram: its bounds, and what fell into it per second at the `i`th row. */
export interface Bucket {
  readonly from: number;
  readonly to: number;
  at(i: number): number;
}

/** Buckets of the curves of a histogram, which are grouped by `le` and count what fell into each bucket or a lower one; lowest first. */
export function bucketsOf(curves: readonly Curve[]): Bucket[] {
  const sorted = curves
    .map(({ labels, at }) => ({ to: labels['le'] === '+Inf' ? Infinity : Number(labels['le']), at }))
    .toSorted((a, b) => a.to - b.to);
  return sorted.map(({ to, at }, k) => {
    const below = sorted[k - 1];
    return { from: below?.to ?? 0, to, at: (i) => Math.max(0, (at(i) ?? 0) - (below?.at(i) ?? 0)) };
  });
}
