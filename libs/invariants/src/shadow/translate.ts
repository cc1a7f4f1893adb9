import { isTable, LO_TYPE, LO_VALID, LO_WRITE } from '@s2lab/arch';
import type { World } from './world.ts';

/** A place that `firstLeaf` or `firstHole` found: reused by every call, so that a search allocates nothing. */
export interface Found {
  ipa: number;
  table: number;
  slot: number;
  level: number;
  lo: number;
  hi: number;
}

/** An empty search result. */
export function found(): Found {
  return { ipa: 0, table: 0, slot: 0, level: 0, lo: 0, hi: 0 };
}

/** Finds the first valid block or page of stage-2 `id` that touches [from, to). Returns whether there is one. */
export function firstLeaf(world: World, id: number, from: number, to: number, out: Found): boolean {
  return fromRoots(world, id, from, to, LO_VALID, LO_VALID, out);
}

/** Finds the first block or page of stage-2 `id` that touches [from, to) and may be written. Returns whether there is one. */
export function firstWritable(world: World, id: number, from: number, to: number, out: Found): boolean {
  return fromRoots(world, id, from, to, LO_VALID | LO_WRITE, LO_VALID | LO_WRITE, out);
}

/** Finds the first block of stage-2 `id` that touches [from, to). Returns whether there is one. */
export function firstBlock(world: World, id: number, from: number, to: number, out: Found): boolean {
  return fromRoots(world, id, from, to, LO_VALID | LO_TYPE, LO_VALID, out);
}

/** Finds the first address of [from, to) that stage-2 `id` does not map. Returns whether there is one. */
export function firstHole(world: World, id: number, from: number, to: number, out: Found): boolean {
  return fromRoots(world, id, from, to, LO_VALID, 0, out);
}

/** Finds the first descriptor that leads to no table and whose low half has `wanted` in the bits of `mask`. */
function fromRoots(world: World, id: number, from: number, to: number, mask: number, wanted: number, out: Found): boolean {
  const shadow = world.stage2(id);
  if (shadow === undefined) return false;
  const rootSpan = world.span(shadow.startLevel - 1);
  for (let i = 0; i < shadow.rootPages; i++) {
    const base = i * rootSpan;
    if (base + rootSpan <= from || base >= to) continue;
    const p = world.tables.place(shadow.root + i);
    if (p >= 0 && inTable(world, p, from, to, mask, wanted, out)) return true;
  }
  return false;
}

function inTable(world: World, p: number, from: number, to: number, mask: number, wanted: number, out: Found): boolean {
  const tables = world.tables;
  if (wanted !== 0 && tables.valid[p] === 0) return false;
  const level = tables.level[p]!;
  const span = world.span(level);
  const base = tables.base[p]!;
  const words = tables.descriptors[p]!;
  const first = Math.max(0, Math.floor((from - base) / span));
  const last = Math.min(tables.entries, Math.ceil((to - base) / span));
  for (let slot = first; slot < last; slot++) {
    const lo = words[2 * slot]!;
    const hi = words[2 * slot + 1]!;
    if (isTable(lo, level)) {
      const child = tables.place(world.childFrame(lo, hi));
      const follows = child >= 0 && tables.linked[child] === 1 && tables.level[child] === level + 1;
      if (follows && inTable(world, child, from, to, mask, wanted, out)) return true;
    } else if ((lo & mask) === wanted) {
      out.ipa = base + slot * span;
      out.table = tables.frameOf[p]!;
      out.slot = slot;
      out.level = level;
      out.lo = lo;
      out.hi = hi;
      return true;
    }
  }
  return false;
}
