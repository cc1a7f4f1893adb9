import type { Geometry } from '@s2lab/arch';
import { hexAddress, spanBytes } from '@s2lab/arch';
import type { DescriptorWords, PendingFree } from '@s2lab/timeline';
import { describeDescriptor } from '@s2lab/timeline';
import { sizeText } from './address-ticks.ts';
import type { MapView } from './map-view.ts';
import { MARGIN, ipaAt, mapBands, mapWidth, xOf } from './map-view.ts';
import type { Stage2State, WalkerMark } from './state.ts';
import { SLOT_NAMES, shapeOf } from './state.ts';

/** CSS pixels from a marker at which it still counts as pointed at. */
const REACH = 6;

/** A slot, or a merged run of slots, with its descriptor decoded. */
export interface HitSlot {
  readonly level: number;
  readonly table: number;
  readonly slot: number;
  /** First input address of the slot (of all slots when merged), and bytes. */
  readonly ipa: number;
  readonly bytes: number;
  /** SLOT code. */
  readonly state: number;
  readonly descriptor: DescriptorWords;
  /** Runs that stand behind this one answer; 1 = it is exact. */
  readonly merged: number;
}

/** What lies under the pointer. */
export interface MapHit {
  readonly level: number;
  /** Input address under the pointer, rounded down to a page. */
  readonly ipa: number;
  /** Slot of this level; null when there is no table. */
  readonly slot: HitSlot | null;
  /** The slot further up that ends the translation when there is no table at this level. */
  readonly above: HitSlot | null;
  readonly pending: readonly PendingFree[];
  readonly walkers: readonly WalkerMark[];
  /** All of it for people, most important first. */
  readonly lines: readonly string[];
}

/** What is at (`x`, `y`) CSS pixels; undefined outside of the map. */
export function hitTest(state: Stage2State, view: MapView, x: number, y: number): MapHit | undefined {
  const shape = shapeOf(state);
  const band = mapBands(state, view).find(({ top, height }) => y >= top && y < top + height);
  if (shape === undefined || band === undefined || x < MARGIN.left || x >= MARGIN.left + mapWidth(view)) return undefined;
  const { level } = band;
  const exact = ipaAt(view, x);
  const ipa = Math.floor(exact / shape.pageBytes) * shape.pageBytes;
  const slot = slotAt(state, shape, level, ipa);
  const above = slot === null ? slotAbove(state, shape, level, ipa) : null;
  const pending = state.pending.filter(
    (free) => free.level + 1 === level && ipa >= free.ipa && ipa < free.ipa + spanBytes(shape, free.level),
  );
  const walkers = state.walkers.filter((walker) => walker.level === level && Math.abs(xOf(view, walker.ipa) - x) <= REACH);
  const lines = [
    ...walkers.map(walkerText),
    ...slotLines(slot, above, level, ipa),
    ...pending.map((free) => pendingText(free, state.atNs)),
  ];
  return { level, ipa, slot, above, pending, walkers, lines };
}

/** The slot of `level` that translates `ipa`; null when no table of that level does. */
export function slotAt(state: Stage2State, shape: Geometry, level: number, ipa: number): HitSlot | null {
  const runs = state.levels[level]!;
  const span = spanBytes(shape, level);
  const i = runs.at(ipa, span);
  if (i < 0) return null;
  const merged = runs.merged[i]!;
  const told = { level, table: runs.table[i]!, state: runs.state[i]!, merged };
  if (merged > 1) {
    const descriptor = describeDescriptor(shape, state.features, runs.lo[i]!, runs.hi[i]!, level);
    return { ...told, slot: runs.slot[i]!, ipa: runs.ipa[i]!, bytes: runs.count[i]! * span, descriptor };
  }
  const further = Math.floor((ipa - runs.ipa[i]!) / span);
  // The output of leaves goes on from slot to slot; everything else repeats.
  const low = runs.lo[i]! + ((runs.lo[i]! & 1) === 0 ? 0 : further * span);
  const lo = (low % 2 ** 32) >>> 0;
  const hi = (runs.hi[i]! + Math.floor(low / 2 ** 32)) >>> 0;
  const descriptor = describeDescriptor(shape, state.features, lo, hi, level);
  return { ...told, slot: runs.slot[i]! + further, ipa: runs.ipa[i]! + further * span, bytes: span, descriptor };
}

function slotAbove(state: Stage2State, shape: Geometry, level: number, ipa: number): HitSlot | null {
  for (let above = level - 1; above >= state.top; above -= 1) {
    const slot = slotAt(state, shape, above, ipa);
    if (slot !== null) return slot;
  }
  return null;
}

function slotLines(slot: HitSlot | null, above: HitSlot | null, level: number, ipa: number): string[] {
  const here = `IPA ${hexAddress(ipa)}, level ${level}`;
  if (slot === null)
    return [
      `${here}: no table`,
      ...(above === null ? [] : [`translated at level ${above.level}: ${above.descriptor.text} (table ${above.table} slot ${above.slot})`]),
    ];
  if (slot.merged > 1)
    return [
      `${here}: ${slot.merged} different runs in ${sizeText(slot.bytes)} from ${hexAddress(slot.ipa)}, ${SLOT_NAMES[slot.state]!} among them`,
      'zoom in to see each',
    ];
  return [
    `${here}: ${slot.descriptor.text}`,
    `table ${slot.table} slot ${slot.slot}, ${sizeText(slot.bytes)} from ${hexAddress(slot.ipa)}`,
    `descriptor ${slot.descriptor.bits}`,
  ];
}

function walkerText(walker: WalkerMark): string {
  const kind = walker.kind === 'hardware' ? ', hardware walk' : '';
  return `${walker.name}${kind} at table ${walker.table} slot ${walker.slot}, since event ${walker.sinceSeq}${walker.why === '' ? '' : `: ${walker.why}`}`;
}

function pendingText(free: PendingFree, atNs: number): string {
  return `table ${free.table}: retired, free pending for ${((atNs - free.sinceNs) / 1000).toFixed(1)} µs${free.held ? ', held by walkers inside' : ''}`;
}
