import type { LevelRuns } from './level-runs.ts';
import type { MapPalette } from './palette.ts';
import { SLOT } from './state.ts';

const STATES = 6;
/** Least weight with which a state shows in a column that it covers only a little of, by SLOT code. */
const FLOOR = Float32Array.of(0.2, 0.7, 0.45, 0.45, 1, 0.7);

/**
 * The colours of one level, a pixel column at a time: each column mixes the colours of what lies in it by their shares, so that a run of
 * pages of which every second is mapped looks half as strong; a lock is always seen. One pass over the runs, whatever the zoom.
 * @param span bytes of one slot of the level
 * @param from first input address of the first column
 * @param to exclusive end of the last column
 * @param columns pixel columns
 * @param weights room for 6 × columns numbers
 * @returns `0xRRGGBB + 1` by column; 0 where no table is
 */
export function columnColours(
  runs: LevelRuns,
  span: number,
  from: number,
  to: number,
  columns: number,
  palette: MapPalette,
  weights: Float32Array = new Float32Array(STATES * columns),
): Uint32Array {
  weights.fill(0);
  const scale = columns / (to - from);
  for (let i = Math.max(0, runs.lastAt(from)); i < runs.length; i += 1) {
    const begin = Math.max(0, (runs.ipa[i]! - from) * scale);
    if (begin >= columns) break;
    const end = Math.min(columns, (runs.ipa[i]! + runs.count[i]! * span - from) * scale);
    if (end > begin) addRun(weights, columns, begin, end, runs.state[i]!, runs.share[i]!);
  }
  const colours = new Uint32Array(columns);
  for (let column = 0; column < columns; column += 1) colours[column] = mixed(weights, columns, column, palette);
  return colours;
}

/** Covers the columns from `begin` to `end`, both in fractions of a column. What a merged run does not cover with its state is empty. */
function addRun(weights: Float32Array, columns: number, begin: number, end: number, state: number, share: number): void {
  const first = Math.floor(begin);
  const last = Math.min(columns - 1, Math.ceil(end) - 1);
  const row = state * columns;
  for (let column = first; column <= last; column += 1) {
    const part = Math.min(end, column + 1) - Math.max(begin, column);
    weights[row + column]! += part * share;
    if (share < 1) weights[SLOT.empty * columns + column]! += part * (1 - share);
  }
}

function mixed(weights: Float32Array, columns: number, column: number, palette: MapPalette): number {
  if (weights[SLOT.locked * columns + column]! > 0) return packed(palette.slots[SLOT.locked]!) + 1;
  let red = 0;
  let green = 0;
  let blue = 0;
  let seen = 0;
  let covered = 0;
  for (let state = 0; state < STATES; state += 1) {
    const weight = weights[state * columns + column]!;
    if (weight === 0) continue;
    covered += weight;
    const shown = Math.max(weight, FLOOR[state]!);
    const [r, g, b] = palette.slots[state]!;
    red += r * shown;
    green += g * shown;
    blue += b * shown;
    seen += shown;
  }
  if (seen === 0) return 0;
  const rest = Math.max(0, 1 - Math.max(covered, seen));
  const all = seen + rest;
  const [r, g, b] = palette.nothing;
  return packed([Math.round((red + r * rest) / all), Math.round((green + g * rest) / all), Math.round((blue + b * rest) / all)]) + 1;
}

function packed(colour: readonly number[]): number {
  return (colour[0]! << 16) | (colour[1]! << 8) | colour[2]!;
}
