import { spanBytes } from '@s2lab/arch';
import type { Stage2State } from './state.ts';
import { shapeOf } from './state.ts';

/** Part of the input address space that is shown, on a surface of so many CSS pixels. */
export interface MapView {
  /** First input address, bytes; may lie between two pages while zooming. */
  readonly from: number;
  /** Exclusive end, bytes. */
  readonly to: number;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
}

/** Horizontal band in which one level is drawn, CSS pixels. */
export interface MapBand {
  readonly level: number;
  readonly top: number;
  readonly height: number;
}

/** CSS pixels left of the map (names of levels), above it (memslots) and below it (addresses). */
export const MARGIN = { left: 30, right: 6, top: 16, bottom: 18 } as const;
const BAND_GAP = 4;
/** Pages that can be zoomed into at least. */
const PAGES_MIN = 4;
/** Share of empty space around what is mapped. */
const AIR = 0.03;

/** The bands of the levels that a state covers, first level on top. */
export function mapBands(state: Stage2State, view: MapView): MapBand[] {
  const count = state.bottom - state.top + 1;
  const height = Math.max(4, (view.height - MARGIN.top - MARGIN.bottom - BAND_GAP * (count - 1)) / count);
  return Array.from({ length: count }, (_, i) => ({ level: state.top + i, top: MARGIN.top + i * (height + BAND_GAP), height }));
}

/** Width of the map itself, CSS pixels. */
export function mapWidth(view: MapView): number {
  return Math.max(1, view.width - MARGIN.left - MARGIN.right);
}

/** Place of an input address, CSS pixels from the left edge of the surface. */
export function xOf(view: MapView, ipa: number): number {
  return MARGIN.left + ((ipa - view.from) / (view.to - view.from)) * mapWidth(view);
}

/** Input address at `x` CSS pixels, not rounded. */
export function ipaAt(view: MapView, x: number): number {
  return view.from + ((x - MARGIN.left) / mapWidth(view)) * (view.to - view.from);
}

/** A view of everything that is mapped, retired or guest memory; of all that the state covers when there is nothing. */
export function fitView(state: Stage2State, width: number, height: number): MapView {
  const shape = shapeOf(state);
  let from = Infinity;
  let to = 0;
  const cover = (ipa: number, bytes: number): void => {
    from = Math.min(from, ipa);
    to = Math.max(to, ipa + bytes);
  };
  for (const { ipa, bytes } of state.memslots) cover(ipa, bytes);
  if (shape !== undefined) {
    for (const { ipa, level } of state.pending) cover(ipa, spanBytes(shape, level));
    state.levels.forEach((runs, level) => {
      for (let i = 0; i < runs.length; i += 1) if (runs.state[i]! >= 2) cover(runs.ipa[i]!, runs.count[i]! * spanBytes(shape, level));
    });
  }
  if (to <= from) return { from: state.from, to: Math.max(state.to, state.from + 1), width, height };
  const air = (to - from) * AIR;
  return within(state, { from: from - air, to: to + air, width, height });
}

/** The view `factor` times closer (> 1) or further (< 1), the address at `x` CSS pixels staying where it is. */
export function zoomView(state: Stage2State, view: MapView, x: number, factor: number): MapView {
  const still = ipaAt(view, x);
  return within(state, { ...view, from: still - (still - view.from) / factor, to: still + (view.to - still) / factor });
}

/** The view moved by `dx` CSS pixels: what was under the pointer follows it. */
export function panView(state: Stage2State, view: MapView, dx: number): MapView {
  const by = (-dx / mapWidth(view)) * (view.to - view.from);
  return within(state, { ...view, from: view.from + by, to: view.to + by });
}

/** The view between the places `x0` and `x1`, CSS pixels, in either order. */
export function selectView(state: Stage2State, view: MapView, x0: number, x1: number): MapView {
  return within(state, { ...view, from: ipaAt(view, Math.min(x0, x1)), to: ipaAt(view, Math.max(x0, x1)) });
}

/** The nearest view that lies in the address space and shows at least a few pages. */
function within(state: Stage2State, view: MapView): MapView {
  const shape = shapeOf(state);
  const end = shape?.ipaBytes ?? state.to;
  const least = PAGES_MIN * (shape?.pageBytes ?? 4096);
  const range = Math.min(end, Math.max(least, view.to - view.from));
  const middle = (view.from + view.to) / 2;
  const from = Math.min(Math.max(0, view.to - view.from < least ? middle - range / 2 : view.from), end - range);
  return { ...view, from, to: from + range };
}
