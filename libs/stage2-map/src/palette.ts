import { SLOT_NAMES } from './state.ts';

/** A colour: red, green and blue, 0…255. */
export type Rgb = readonly [number, number, number];

/** Colours of a map. */
export interface MapPalette {
  readonly background: Rgb;
  /** By SLOT code. */
  readonly slots: readonly Rgb[];
  /** Where no table is: nothing is translated at this level. */
  readonly nothing: Rgb;
  readonly pending: Rgb;
  readonly software: Rgb;
  readonly hardware: Rgb;
  readonly waits: Rgb;
  readonly text: Rgb;
  readonly faint: Rgb;
  readonly memslot: Rgb;
  readonly logging: Rgb;
}

/*
 * The colours that differ in kind are those of Okabe and Ito (“Color Universal Design”, 2008), which readers with any of the common colour
 * vision deficiencies tell apart; the two schemes change their lightness only. What matters most has a shape of its own besides: pending
 * frees are hatched, walkers are triangles, locked slots are never thinner than a pixel.
 */

/** On a light page. */
export const LIGHT_PALETTE: MapPalette = {
  background: [255, 255, 255],
  slots: [
    [222, 226, 230],
    [134, 142, 150],
    [0, 114, 178],
    [86, 180, 233],
    [213, 94, 0],
    [204, 121, 167],
  ],
  nothing: [247, 248, 249],
  pending: [196, 132, 0],
  software: [0, 0, 0],
  hardware: [0, 128, 96],
  waits: [213, 94, 0],
  text: [43, 47, 54],
  faint: [173, 181, 189],
  memslot: [206, 212, 218],
  logging: [0, 158, 115],
};

/** On a dark page. */
export const DARK_PALETTE: MapPalette = {
  background: [24, 27, 31],
  slots: [
    [52, 58, 64],
    [134, 142, 150],
    [38, 140, 214],
    [120, 200, 245],
    [240, 118, 40],
    [214, 140, 182],
  ],
  nothing: [31, 34, 39],
  pending: [230, 159, 0],
  software: [255, 255, 255],
  hardware: [0, 200, 150],
  waits: [240, 118, 40],
  text: [206, 212, 218],
  faint: [108, 117, 125],
  memslot: [73, 80, 87],
  logging: [0, 170, 125],
};

/** One line of the legend: a colour, how it is drawn, and what it means. */
export interface LegendEntry {
  readonly colour: string;
  readonly shape: 'fill' | 'hatch' | 'triangle' | 'diamond' | 'bar';
  readonly text: string;
}

/** What the colours mean, in the order of drawing. */
export function mapLegend(palette: MapPalette): LegendEntry[] {
  const slots = [2, 3, 1, 0, 4, 5].map((code): LegendEntry => ({
    colour: css(palette.slots[code]!),
    shape: 'fill',
    text: SLOT_NAMES[code]!,
  }));
  return [
    ...slots,
    { colour: css(palette.pending), shape: 'hatch', text: 'free pending' },
    { colour: css(palette.software), shape: 'triangle', text: 'walker' },
    { colour: css(palette.hardware), shape: 'diamond', text: 'hardware walker' },
    { colour: css(palette.waits), shape: 'bar', text: 'waits for the lock' },
  ];
}

/** A colour for a canvas or a style sheet. */
export function css([red, green, blue]: Rgb): string {
  return `rgb(${red},${green},${blue})`;
}
