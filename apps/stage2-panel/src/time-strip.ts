import type { MapPalette } from '@s2lab/stage2-map';
import { css } from '@s2lab/stage2-map';
import type { ReceivedState } from './frame-state.ts';

/** Height of the strip, CSS pixels. */
export const STRIP_HEIGHT = 34;

/** A stretch of time over the width of a strip. */
export interface StripTime {
  /** ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly width: number;
}

/** The moment at `x` CSS pixels. */
export function stripTimeAt({ fromMs, toMs, width }: StripTime, x: number): number {
  return fromMs + (x / width) * (toMs - fromMs);
}

/** Place of a moment, CSS pixels. */
function stripPlaceOf({ fromMs, toMs, width }: StripTime, timeMs: number): number {
  return ((timeMs - fromMs) / (toMs - fromMs)) * width;
}

/** Draws the pending frees of the states received over the time of the dashboard, and the moment that is shown. */
export function drawStrip(
  canvas: CanvasRenderingContext2D,
  states: readonly ReceivedState[],
  shown: ReceivedState,
  time: StripTime,
  palette: MapPalette,
  fontFamily: string,
): void {
  const most = Math.max(1, ...states.map(({ state }) => state.pending.length));
  const foot = STRIP_HEIGHT - 1;
  canvas.fillStyle = css(palette.nothing);
  canvas.fillRect(0, 0, time.width, STRIP_HEIGHT);
  canvas.fillStyle = css(palette.pending);
  states.forEach(({ state, timeMs }, i) => {
    const x0 = stripPlaceOf(time, timeMs);
    const x1 = stripPlaceOf(time, states[i + 1]?.timeMs ?? time.toMs);
    const height = (state.pending.length / most) * (STRIP_HEIGHT - 14);
    canvas.fillRect(x0, foot - Math.max(1, height), Math.max(1, x1 - x0), Math.max(1, height));
  });
  const x = stripPlaceOf(time, shown.timeMs);
  canvas.fillStyle = css(palette.text);
  canvas.fillRect(x - 0.75, 0, 1.5, STRIP_HEIGHT);
  canvas.font = `10px ${fontFamily}`;
  canvas.textBaseline = 'top';
  canvas.textAlign = 'left';
  canvas.fillText(`frees pending, at most ${most}`, 4, 2);
}
