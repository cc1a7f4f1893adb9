import { isLocked, isTable, isValid, spanBytes } from '@s2lab/arch';
import type { Stage2, World } from '@s2lab/engine';
import { OP } from '@s2lab/events';
import type { Activity, ActorActivity, PendingFrees } from '@s2lab/timeline';
import { actorName, reasonText } from '@s2lab/timeline';
import { LevelRuns } from './level-runs.ts';
import { mergedRuns } from './merge-runs.ts';
import type { MapOrigin, Stage2State, WalkerMark } from './state.ts';
import { SLOT } from './state.ts';

/** Lowest level of every granule. */
const BOTTOM = 3;

/** A machine at one moment: a `MachineView`, or a running machine with what was folded of its events. */
export interface MapSource {
  /** Undefined until there is a stage-2. */
  readonly world: World | undefined;
  readonly vcpus: number;
  /** Sequence number of the next event. */
  readonly nextSeq: number;
  /** Virtual time of the last event, ns. */
  readonly at: number;
  readonly actors: ActorActivity;
  readonly pending: PendingFrees;
  /** Table page that a table descriptor points to; -1 = none of the machine's. */
  childOf(world: World, lo: number, hi: number): number;
}

/** What of a stage-2 is asked for. */
export interface MapQuery {
  /** Which stage-2, by VMID; absent = the first that the machine has. */
  readonly vmid?: number | undefined;
  /** First input address, bytes; absent = 0. */
  readonly from?: number | undefined;
  /** Exclusive end, bytes; absent = all of the input address space. */
  readonly to?: number | undefined;
  /** First and last level; absent = all. */
  readonly top?: number | undefined;
  readonly bottom?: number | undefined;
  /** Most runs, all levels together; neighbours are merged beyond that. Absent = no bound. */
  readonly maxRuns?: number | undefined;
}

const NO_FEATURES = { fwb: false, xnx: false, asStage1: false };

/** The state of a machine's stage-2 as plain data. */
export function captureStage2(source: MapSource, origin: MapOrigin, query: MapQuery = {}): Stage2State {
  const { world } = source;
  const stage2 = world?.stage2s.find((one) => one !== undefined && (query.vmid === undefined || one.vmid === query.vmid));
  const levels = Array.from({ length: BOTTOM + 1 }, () => new LevelRuns());
  const top = Math.max(query.top ?? 0, stage2?.shape.startLevel ?? 0);
  const bottom = Math.max(top, Math.min(query.bottom ?? BOTTOM, BOTTOM));
  const from = query.from ?? 0;
  const to = Math.min(query.to ?? Infinity, stage2?.shape.ipaBytes ?? 0);
  const vmid = stage2?.vmid ?? -1;
  const pending = source.pending.list().filter((free) => free.vmid === vmid);
  const walkers = marksOf(source, pending, vmid);
  const vmids = world?.stage2s.flatMap((one) => (one === undefined ? [] : [one.vmid])) ?? [];
  const told = { origin, vmid, vmids, seq: source.nextSeq - 1, atNs: source.at, from, to, top, bottom, pending, walkers };
  if (world === undefined || stage2 === undefined)
    return { ...told, shape: undefined, features: NO_FEATURES, levels, exact: true, tables: 0, pending: [], walkers: [], memslots: [] };
  const { shape } = stage2;
  if (stage2.root >= 0) {
    const rootBytes = spanBytes(shape, shape.startLevel) * shape.entries;
    for (let page = 0; page < stage2.rootPages; page += 1)
      collect(source, stage2, world, levels, stage2.root + page, shape.startLevel, page * rootBytes, { from, to, top, bottom });
  }
  const merged = mergedRuns(levels, shape, query.maxRuns ?? Infinity, to - from);
  return {
    ...told,
    shape: { pageShift: shape.pageShift, indexBits: shape.bitsPerLevel, ipaBits: shape.ipaBits, lpa2: shape.lpa2 },
    features: stage2.features,
    levels: merged,
    exact: merged === levels,
    tables: world.pages.live,
    memslots: stage2.memslots.map(({ id, ipa, bytes, logging }) => ({ id, ipa, bytes, logging })),
  };
}

interface Covered {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
}

/** Adds the runs of one table page, whose first slot translates `ipa`, and of all below it. */
function collect(
  source: MapSource,
  stage2: Stage2,
  world: World,
  levels: readonly LevelRuns[],
  table: number,
  level: number,
  ipa: number,
  covered: Covered,
): void {
  const { pages } = world;
  const { shape } = stage2;
  const span = spanBytes(shape, level);
  const first = Math.max(0, Math.floor((covered.from - ipa) / span));
  const end = Math.min(shape.entries, Math.ceil((covered.to - ipa) / span));
  const runs = level >= covered.top ? levels[level]! : undefined;
  for (let slot = first; slot < end;) {
    const d = pages.indexOf(table, slot);
    const lo = pages.descriptors[d]! >>> 0;
    const hi = pages.descriptors[d + 1]! >>> 0;
    const count = isTable(lo, level) ? 1 : runLength(pages.descriptors, d, end - slot, isValid(lo) ? span : 0);
    runs?.add(ipa + slot * span, count, table, slot, stateOf(lo, hi, level), lo, hi);
    if (level < covered.bottom && isTable(lo, level)) {
      const child = source.childOf(world, lo, hi);
      if (child >= 0) collect(source, stage2, world, levels, child, level + 1, ipa + slot * span, covered);
    }
    slot += count;
  }
}

/** Slots from descriptor `d` on, at most `most`, whose descriptors are each `step` bytes of output further than the one before. */
function runLength(words: Int32Array, d: number, most: number, step: number): number {
  const low = words[d]! >>> 0;
  const high = words[d + 1]! >>> 0;
  let count = 1;
  for (; count < most; count += 1) {
    const next = low + step * count;
    if (words[d + 2 * count]! >>> 0 !== next % 2 ** 32 || words[d + 2 * count + 1]! >>> 0 !== high + Math.floor(next / 2 ** 32)) break;
  }
  return count;
}

function stateOf(lo: number, hi: number, level: number): number {
  if (isValid(lo)) return isTable(lo, level) ? SLOT.table : level === BOTTOM ? SLOT.page : SLOT.block;
  if (lo === 0 && hi === 0) return SLOT.empty;
  return isLocked(lo, hi) ? SLOT.locked : SLOT.annotated;
}

/** Actors that stand at a descriptor of one stage-2, or wait for its lock. */
function marksOf(source: MapSource, pending: readonly { readonly table: number; readonly ipa: number }[], vmid: number): WalkerMark[] {
  const marks: WalkerMark[] = [];
  for (let actor = 0; actor < source.vcpus + 2; actor += 1) {
    const activity = source.actors.of(actor);
    const { place, waits } = activity;
    const told = { actor, name: actorName(actor, source.vcpus), why: reasonText(activity) };
    if (waits?.vmid === vmid)
      marks.push({ ...told, kind: 'waits', level: -1, table: -1, slot: -1, ipa: addressOf(activity), sinceSeq: waits.since });
    else if (place?.vmid === vmid) {
      const { level, table, slot, since } = place;
      marks.push({
        ...told,
        kind: place.hardware ? 'hardware' : 'software',
        level,
        table,
        slot,
        ipa: placeIpa(activity, pending),
        sinceSeq: since,
      });
    }
  }
  return marks;
}

/** What a waiting actor wants the lock for. */
function addressOf({ walks, fault, operation }: Activity): number {
  return walks[0]?.ipa ?? fault?.ipa ?? operation?.ipa ?? NaN;
}

/** A walk of a sub-tree that is not linked counts its addresses from 0: they are below the address that the sub-tree was retired from. */
function placeIpa({ place, walks, reclaim }: Activity, pending: readonly { readonly table: number; readonly ipa: number }[]): number {
  const op = walks[0]?.op;
  if (op === OP.createUnlinked) return NaN;
  if (op !== OP.freeUnlinked) return place!.ipa;
  const retired = pending.find(({ table }) => table === reclaim?.table);
  return retired === undefined ? NaN : retired.ipa + place!.ipa;
}
