import type { EventRows } from '@s2lab/events';
import { COLUMNS } from '@s2lab/events';

/**
 * First row, from `fromA` and `fromB` on, in which two runs of events differ in any column; `count` when the next `count` rows are equal.
 * Compares column by column and only then looks for the row.
 */
export function firstDifference(a: EventRows, fromA: number, b: EventRows, fromB: number, count: number): number {
  let first = count;
  for (const { name, type } of COLUMNS) {
    const width = type === 'u64' ? 2 : 1;
    const left = a[name];
    const right = b[name];
    const end = first * width;
    const l = fromA * width;
    const r = fromB * width;
    let i = 0;
    while (i < end && left[l + i] === right[r + i]) i += 1;
    first = Math.min(first, Math.floor(i / width));
  }
  return first;
}
