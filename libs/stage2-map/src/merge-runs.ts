import type { Geometry } from '@s2lab/arch';
import { spanBytes } from '@s2lab/arch';
import { LevelRuns } from './level-runs.ts';
import { SLOT } from './state.ts';

/** Kinds that must be seen however small they are, most urgent first. */
const URGENT: readonly number[] = [SLOT.locked, SLOT.annotated];
const STATES = 6;

/**
 * At most `most` runs that stand for `levels`: runs smaller than a cell are merged with their neighbours in the cell. The cell is the
 * smallest power of two that suffices.
 * @param range input bytes covered
 * @returns `levels` themselves when they are few enough
 */
export function mergedRuns(levels: readonly LevelRuns[], shape: Geometry, most: number, range: number): readonly LevelRuns[] {
  const total = sum(levels);
  if (total <= most) return levels;
  const mergedBy = (cell: number): readonly LevelRuns[] => levels.map((runs, level) => mergeLevel(runs, spanBytes(shape, level), cell));
  let low: number = shape.pageShift;
  let high = low + Math.max(1, Math.ceil(Math.log2(range / shape.pageBytes)) + 1);
  let best = mergedBy(Infinity);
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    const merged = mergedBy(2 ** middle);
    if (sum(merged) <= most) {
      best = merged;
      high = middle;
    } else low = middle;
  }
  return best;
}

function sum(levels: readonly LevelRuns[]): number {
  return levels.reduce((total, runs) => total + runs.length, 0);
}

/** Merges runs that begin in one cell and are smaller than it, with what lies between them. */
function mergeLevel(runs: LevelRuns, span: number, cell: number): LevelRuns {
  const out = new LevelRuns();
  const covered = new Float64Array(STATES);
  for (let i = 0; i < runs.length;) {
    const place = Math.floor(runs.ipa[i]! / cell);
    let end = i + 1;
    if (runs.count[i]! * span < cell)
      while (end < runs.length && runs.count[end]! * span < cell && Math.floor(runs.ipa[end]! / cell) === place) end += 1;
    if (end === i + 1) copy(runs, i, out);
    else merge(runs, i, end, span, covered, out);
    i = end;
  }
  return out;
}

function copy(runs: LevelRuns, i: number, out: LevelRuns): void {
  out.add(
    runs.ipa[i]!,
    runs.count[i]!,
    runs.table[i]!,
    runs.slot[i]!,
    runs.state[i]!,
    runs.lo[i]!,
    runs.hi[i]!,
    runs.merged[i]!,
    runs.share[i]!,
  );
}

function merge(runs: LevelRuns, from: number, to: number, span: number, covered: Float64Array, out: LevelRuns): void {
  covered.fill(0);
  for (let i = from; i < to; i += 1) covered[runs.state[i]!]! += runs.count[i]!;
  const slots = (runs.ipa[to - 1]! - runs.ipa[from]!) / span + runs.count[to - 1]!;
  let state = URGENT.find((urgent) => covered[urgent]! > 0) ?? -1;
  if (state < 0) {
    // What is there before what is not: a single page in an empty table shows.
    state = SLOT.table;
    for (const other of [SLOT.block, SLOT.page]) if (covered[other]! > covered[state]!) state = other;
    if (covered[state] === 0) state = SLOT.empty;
  }
  let i = from;
  while (runs.state[i] !== state) i += 1;
  out.add(runs.ipa[from]!, slots, runs.table[i]!, runs.slot[i]!, state, runs.lo[i]!, runs.hi[i]!, to - from, covered[state]! / slots);
}
