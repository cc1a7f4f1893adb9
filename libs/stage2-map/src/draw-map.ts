import type { Geometry } from '@s2lab/arch';
import { hexAddress, spanBytes } from '@s2lab/arch';
import { addressTicks } from './address-ticks.ts';
import { columnColours } from './column-colours.ts';
import type { MapHit } from './map-hit.ts';
import { slotAt } from './map-hit.ts';
import type { MapBand, MapView } from './map-view.ts';
import { MARGIN, mapBands, mapWidth, xOf } from './map-view.ts';
import type { MapPalette } from './palette.ts';
import { css } from './palette.ts';
import type { Stage2State, WalkerMark } from './state.ts';
import { SLOT, shapeOf } from './state.ts';

/** As much of a canvas’ 2D context as drawing a map takes. */
export type MapCanvas = Pick<
  CanvasRenderingContext2D,
  | 'setTransform'
  | 'fillRect'
  | 'strokeRect'
  | 'fillText'
  | 'beginPath'
  | 'closePath'
  | 'moveTo'
  | 'lineTo'
  | 'rect'
  | 'clip'
  | 'fill'
  | 'stroke'
  | 'save'
  | 'restore'
  | 'fillStyle'
  | 'strokeStyle'
  | 'lineWidth'
  | 'font'
  | 'textAlign'
  | 'textBaseline'
>;

/** How a map looks. */
export interface MapLook {
  readonly palette: MapPalette;
  /** Device pixels a CSS pixel: the canvas is `ratio` times as wide and high as the view. */
  readonly ratio: number;
  /** CSS font family of the letters. */
  readonly fontFamily?: string | undefined;
  /** What the pointer is at: its slot is framed. */
  readonly hover?: MapHit | undefined;
}

/** CSS pixels from which on slots are parted by lines, and have their contents written into them. */
const SLOT_LINES_FROM = 5;
const SLOT_TEXT_FROM = 64;
const FONT_SIZE = 11;
const TICKS_APART = 110;
const HATCH_APART = 6;
const MARK_SIZE = 5;

/**
 * Draws a stage-2 as a map: input addresses across, levels down, slots coloured by what they hold; memslots above, addresses below; pending
 * frees hatched where the sub-tree hung, walkers as marks. The work follows the runs and the pixels, not the mapped pages.
 */
export function drawStage2Map(canvas: MapCanvas, state: Stage2State, view: MapView, look: MapLook): void {
  const { palette, ratio } = look;
  canvas.setTransform(ratio, 0, 0, ratio, 0, 0);
  canvas.fillStyle = css(palette.background);
  canvas.fillRect(0, 0, view.width, view.height);
  canvas.font = `${FONT_SIZE}px ${look.fontFamily ?? 'sans-serif'}`;
  canvas.textBaseline = 'middle';
  const shape = shapeOf(state);
  if (shape === undefined) {
    canvas.fillStyle = css(palette.text);
    canvas.textAlign = 'center';
    canvas.fillText('this machine has no stage-2 yet', view.width / 2, view.height / 2);
    return;
  }
  const bands = mapBands(state, view);
  canvas.textAlign = 'left';
  for (const band of bands) {
    canvas.fillStyle = css(palette.text);
    canvas.fillText(`L${band.level}`, 6, band.top + band.height / 2);
  }
  drawAxis(canvas, view, palette);
  canvas.save();
  canvas.beginPath();
  canvas.rect(MARGIN.left, 0, mapWidth(view), view.height);
  canvas.clip();
  drawMemslots(canvas, state, view, palette);
  for (const band of bands) drawBand(canvas, state, shape, view, band, look);
  drawHover(canvas, view, bands, look);
  drawWalkers(canvas, state, view, bands, palette);
  canvas.restore();
}

function drawBand(canvas: MapCanvas, state: Stage2State, shape: Geometry, view: MapView, band: MapBand, look: MapLook): void {
  const { palette, ratio } = look;
  const span = spanBytes(shape, band.level);
  const columns = Math.max(1, Math.round(mapWidth(view) * ratio));
  const colours = columnColours(state.levels[band.level]!, span, view.from, view.to, columns, palette);
  canvas.fillStyle = css(palette.nothing);
  canvas.fillRect(MARGIN.left, band.top, mapWidth(view), band.height);
  const wide = mapWidth(view) / columns;
  for (let first = 0; first < columns;) {
    const colour = colours[first]!;
    let end = first + 1;
    while (end < columns && colours[end] === colour) end += 1;
    if (colour !== 0) {
      canvas.fillStyle = `#${(colour - 1).toString(16).padStart(6, '0')}`;
      canvas.fillRect(MARGIN.left + first * wide, band.top, (end - first) * wide, band.height);
    }
    first = end;
  }
  drawPending(canvas, state, shape, view, band, palette);
  drawSlots(canvas, state, shape, view, band, palette);
}

/** Lines between slots and what they hold, once they are wide enough to be looked at one by one. */
function drawSlots(canvas: MapCanvas, state: Stage2State, shape: Geometry, view: MapView, band: MapBand, palette: MapPalette): void {
  const span = spanBytes(shape, band.level);
  const slotWidth = (span / (view.to - view.from)) * mapWidth(view);
  if (slotWidth < SLOT_LINES_FROM) return;
  for (let ipa = Math.max(0, Math.floor(view.from / span) * span); ipa < view.to; ipa += span) {
    const slot = slotAt(state, shape, band.level, ipa);
    if (slot === null) continue;
    const x = xOf(view, ipa);
    canvas.fillStyle = css(palette.background);
    canvas.fillRect(x - 0.5, band.top, 1, band.height);
    if (slotWidth < SLOT_TEXT_FROM || slot.state === SLOT.empty || slot.merged > 1) continue;
    const { output, permissions } = slot.descriptor;
    const text = slot.state === SLOT.locked ? 'locked' : output === null ? slot.descriptor.bits : hexAddress(output);
    const left = Math.max(x, MARGIN.left) + 4;
    canvas.save();
    canvas.beginPath();
    canvas.rect(x, band.top, slotWidth - 2, band.height);
    canvas.clip();
    canvas.fillStyle = lightness(palette.slots[slot.state]!) > 140 ? '#000' : '#fff';
    canvas.textAlign = 'left';
    canvas.fillText(text, left, band.top + band.height / 2 - (permissions === null ? 0 : 6));
    if (permissions !== null) canvas.fillText(permissions, left, band.top + band.height / 2 + 7);
    canvas.restore();
  }
}

function drawPending(canvas: MapCanvas, state: Stage2State, shape: Geometry, view: MapView, band: MapBand, palette: MapPalette): void {
  canvas.strokeStyle = css(palette.pending);
  canvas.lineWidth = 1.5;
  for (const free of state.pending) {
    if (free.level + 1 !== band.level) continue;
    const x0 = Math.max(MARGIN.left, xOf(view, free.ipa));
    const x1 = Math.min(MARGIN.left + mapWidth(view), Math.max(x0 + 2, xOf(view, free.ipa + spanBytes(shape, free.level))));
    if (x1 <= x0) continue;
    canvas.save();
    canvas.beginPath();
    canvas.rect(x0, band.top, x1 - x0, band.height);
    canvas.clip();
    canvas.beginPath();
    for (let x = x0 - band.height - ((x0 - band.height) % HATCH_APART); x < x1; x += HATCH_APART) {
      canvas.moveTo(x, band.top + band.height);
      canvas.lineTo(x + band.height, band.top);
    }
    canvas.stroke();
    canvas.restore();
    canvas.strokeRect(x0, band.top + 0.75, x1 - x0, band.height - 1.5);
  }
}

function drawMemslots(canvas: MapCanvas, state: Stage2State, view: MapView, palette: MapPalette): void {
  canvas.textAlign = 'left';
  for (const { id, ipa, bytes, logging } of state.memslots) {
    const x0 = Math.max(MARGIN.left, xOf(view, ipa));
    const x1 = Math.min(MARGIN.left + mapWidth(view), xOf(view, ipa + bytes));
    if (x1 <= x0) continue;
    canvas.fillStyle = css(logging ? palette.logging : palette.memslot);
    canvas.fillRect(x0, 2, Math.max(1, x1 - x0), MARGIN.top - 4);
    if (x1 - x0 < 90) continue;
    canvas.fillStyle = logging ? '#fff' : css(palette.text);
    canvas.fillText(`memslot ${id}${logging ? ', dirty log on' : ''}`, x0 + 4, MARGIN.top / 2);
  }
}

function drawAxis(canvas: MapCanvas, view: MapView, palette: MapPalette): void {
  const top = view.height - MARGIN.bottom;
  canvas.textAlign = 'center';
  for (const { ipa, text } of addressTicks(view.from, view.to, mapWidth(view), TICKS_APART)) {
    const x = xOf(view, ipa);
    canvas.fillStyle = css(palette.faint);
    canvas.fillRect(x, top + 1, 1, 4);
    canvas.fillStyle = css(palette.text);
    // A mark at the edge keeps its letters on the surface.
    const half = text.length * 3.6;
    canvas.fillText(text, Math.min(view.width - half, Math.max(half, x)), top + 11);
  }
}

function drawHover(canvas: MapCanvas, view: MapView, bands: readonly MapBand[], look: MapLook): void {
  const slot = look.hover?.slot ?? look.hover?.above;
  const band = bands.find(({ level }) => level === slot?.level);
  if (!slot || band === undefined) return;
  const x0 = xOf(view, slot.ipa);
  canvas.strokeStyle = css(look.palette.text);
  canvas.lineWidth = 1.5;
  canvas.strokeRect(x0, band.top, Math.max(1, xOf(view, slot.ipa + slot.bytes) - x0), band.height);
}

/** Walkers at a descriptor as triangles (hardware: diamonds) at the foot of its band; those that wait for the lock as bars above all. */
function drawWalkers(canvas: MapCanvas, state: Stage2State, view: MapView, bands: readonly MapBand[], palette: MapPalette): void {
  for (const walker of state.walkers) {
    const x = xOf(view, walker.ipa);
    if (!(x >= MARGIN.left - MARK_SIZE && x <= MARGIN.left + mapWidth(view) + MARK_SIZE)) continue;
    const band = bands.find(({ level }) => level === walker.level);
    if (walker.kind === 'waits') {
      canvas.fillStyle = css(palette.waits);
      canvas.fillRect(x - 1, 0, 2, MARGIN.top);
    } else if (band !== undefined) drawMark(canvas, walker, x, band.top + band.height - MARK_SIZE - 2, palette);
  }
}

function drawMark(canvas: MapCanvas, walker: WalkerMark, x: number, y: number, palette: MapPalette): void {
  const hardware = walker.kind === 'hardware';
  canvas.beginPath();
  canvas.moveTo(x, y - MARK_SIZE);
  canvas.lineTo(x + MARK_SIZE, hardware ? y : y + MARK_SIZE);
  if (hardware) canvas.lineTo(x, y + MARK_SIZE);
  canvas.lineTo(x - MARK_SIZE, hardware ? y : y + MARK_SIZE);
  canvas.closePath();
  canvas.fillStyle = css(hardware ? palette.hardware : palette.software);
  canvas.fill();
  canvas.strokeStyle = css(palette.background);
  canvas.lineWidth = 1;
  canvas.stroke();
}

function lightness([red, green, blue]: readonly [number, number, number]): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}
