import assert from 'node:assert/strict';
import { test } from 'node:test';
import { geometry, HI_LOCKED, spanBytes } from '@s2lab/arch';
import {
  LevelRuns,
  hitTest,
  fitView,
  ipaAt,
  LIGHT_PALETTE,
  mapBands,
  mapLegend,
  panView,
  selectView,
  SLOT,
  xOf,
  zoomView,
} from './index.ts';
import type { Stage2State } from './index.ts';
import { columnColours } from './column-colours.ts';
import { addressTicks, sizeText } from './address-ticks.ts';
import { mergedRuns } from './merge-runs.ts';

const MIB = 2 ** 20;
const SHAPE = geometry(12, 40);
/** A valid leaf with all permissions; page when `page`. */
const leaf = (pa: number, page: boolean): number => (pa % 2 ** 32) | (page ? 0x7ff : 0x7fd);

/** 2 MiB mapped by pages (the second half missing), the next 2 MiB by a block; vCPU 1 in the pages' table; a free pending under the block. */
function state(): Stage2State {
  const levels = [0, 1, 2, 3].map(() => new LevelRuns());
  levels[1]!.add(0, 1, 0, 0, SLOT.table, 3, 0);
  levels[1]!.add(2 ** 30, 511, 0, 1, SLOT.empty, 0, 0);
  levels[2]!.add(0, 1, 1, 0, SLOT.table, 3, 0);
  levels[2]!.add(2 * MIB, 1, 1, 1, SLOT.block, leaf(0x4020_0000, false), 1);
  levels[2]!.add(4 * MIB, 1, 1, 2, SLOT.locked, 0, HI_LOCKED);
  levels[2]!.add(6 * MIB, 509, 1, 3, SLOT.empty, 0, 0);
  levels[3]!.add(0, 256, 2, 0, SLOT.page, leaf(0xffff_f000, true), 1);
  levels[3]!.add(MIB, 256, 2, 256, SLOT.empty, 0, 0);
  return {
    origin: { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm' },
    vmid: 1,
    vmids: [1],
    seq: 41,
    atNs: 9000,
    shape: { pageShift: 12, ipaBits: 40, lpa2: false },
    features: { fwb: false, xnx: true, asStage1: false },
    from: 0,
    to: 2 ** 40,
    top: 1,
    bottom: 3,
    levels,
    exact: true,
    tables: 3,
    pending: [{ vmid: 1, table: 7, level: 2, ipa: 2 * MIB, sinceNs: 4000, held: false }],
    walkers: [
      { actor: 1, name: 'vCPU 1', kind: 'software', level: 3, table: 2, slot: 5, ipa: 0x5000, sinceSeq: 40, why: 'walk 9 (map)' },
      { actor: 2, name: 'VMM', kind: 'waits', level: -1, table: -1, slot: -1, ipa: 3 * MIB, sinceSeq: 39, why: '' },
    ],
    memslots: [{ id: 1, ipa: 0, bytes: 8 * MIB, logging: true }],
  };
}

test('the view that fits shows all that is mapped and the guest memory around it', () => {
  const view = fitView(state(), 836, 160);
  assert.equal(view.from, 0);
  assert.ok(view.to >= 8 * MIB && view.to < 9 * MIB);
  const bands = mapBands(state(), view);
  assert.deepEqual(
    bands.map(({ level }) => level),
    [1, 2, 3],
  );
  assert.ok(bands.every((band, i) => i === 0 || band.top > bands[i - 1]!.top + bands[i - 1]!.height));
  assert.ok(bands[2]!.top + bands[2]!.height <= 160);
});

test('zooming keeps the address under the pointer, panning moves it with the pointer, and neither leaves the address space', () => {
  const first = selectView(state(), { from: 0, to: 2 ** 40, width: 836, height: 160 }, 130, 230);
  const at = ipaAt(first, 300);
  const closer = zoomView(state(), first, 300, 2);
  assert.ok(Math.abs(ipaAt(closer, 300) - at) < 1);
  assert.equal((closer.to - closer.from) * 2, first.to - first.from);
  const moved = panView(state(), closer, 50);
  assert.ok(Math.abs(ipaAt(moved, 350) - at) < 1);
  const out = zoomView(state(), first, 300, 1e-9);
  assert.deepEqual([out.from, out.to], [0, 2 ** 40]);
  const near = zoomView(state(), first, 300, 1e12);
  assert.equal(near.to - near.from, 4 * 4096);
  assert.equal(panView(state(), near, 1e12).from, 0);
});

test('what lies under the pointer is the slot with its descriptor decoded, also in the midst of a run whose output goes on', () => {
  const view = selectView(state(), { from: 0, to: 8 * MIB, width: 836, height: 160 }, 30, 830);
  const y = (level: number): number => mapBands(state(), view).find((band) => band.level === level)!.top + 1;
  const page = hitTest(state(), view, xOf(view, 0x5800), y(3))!;
  assert.deepEqual([page.slot?.table, page.slot?.slot, page.slot?.ipa, page.slot?.bytes], [2, 5, 0x5000, 4096]);
  // The carry into the high half: page 1 of the run is at 0x2_0000_0000.
  assert.match(page.lines.join('\n'), /page → PA 0x200004000 rwx/);
  assert.match(page.lines[0]!, /^vCPU 1 at table 2 slot 5, since event 40: walk 9 \(map\)$/);
  const locked = hitTest(state(), view, xOf(view, 5 * MIB), y(2))!;
  assert.match(locked.lines[0]!, /^IPA 0x500000, level 2: locked$/);
  const none = hitTest(state(), view, xOf(view, 3 * MIB), y(3))!;
  assert.equal(none.slot, null);
  assert.match(
    none.lines.join('\n'),
    /no table\ntranslated at level 2: block → PA 0x140200000 rwx.*\ntable 7: retired, free pending for 5\.0 µs/,
  );
  assert.equal(hitTest(state(), view, 3, y(2)), undefined);
  assert.equal(hitTest(state(), view, 100, 159), undefined);
});

test('a column mixes what lies in it, and a lock is seen however small it is', () => {
  const runs = state().levels[2]!;
  const [whole] = columnColours(runs, 2 * MIB, 2 * MIB, 4 * MIB, 1, LIGHT_PALETTE);
  const [r, g, b] = LIGHT_PALETTE.slots[SLOT.block]!;
  assert.equal(whole! - 1, (r << 16) | (g << 8) | b);
  const [red, green, blue] = LIGHT_PALETTE.slots[SLOT.locked]!;
  assert.equal(columnColours(runs, 2 * MIB, 0, 2 ** 30, 1, LIGHT_PALETTE)[0]! - 1, (red << 16) | (green << 8) | blue);
  assert.equal(columnColours(runs, 2 * MIB, 2 ** 31, 2 ** 32, 1, LIGHT_PALETTE)[0], 0, 'no table there');
  const pages = columnColours(state().levels[3]!, 4096, 0, 2 * MIB, 2, LIGHT_PALETTE);
  assert.notEqual(pages[0], pages[1]);
});

test('a million fragmented pages are merged into a bounded answer in which a single lock and a lone page still show', () => {
  const levels = [0, 1, 2, 3].map(() => new LevelRuns());
  for (let page = 0; page < 1_000_000; page += 1)
    levels[3]!.add(page * 4096, 1, page >>> 9, page & 511, page === 777_777 ? SLOT.locked : page & 1 ? SLOT.page : SLOT.empty, page, 0);
  levels[3]!.add(2 ** 38, 1, 5000, 0, SLOT.page, 0, 0);
  const merged = mergedRuns(levels, SHAPE, 1000, 2 ** 40);
  const runs = merged[3]!;
  assert.ok(runs.length <= 1000 && runs.length >= 100, String(runs.length));
  assert.equal(runs.state.subarray(0, runs.length).filter((code) => code === SLOT.locked).length, 1);
  assert.equal(runs.ipa[runs.length - 1], 2 ** 38);
  let covered = 0;
  for (let i = 0; i < runs.length; i += 1) covered += runs.merged[i]!;
  assert.equal(covered, 1_000_001);
  assert.ok(Math.abs(runs.share[0]! - 0.5) < 0.01);
  assert.equal(mergedRuns(levels, SHAPE, 2_000_000, 2 ** 40), levels);
  const one = mergedRuns(levels, SHAPE, 1, 2 ** 40)[3]!;
  assert.equal(one.length, 1);
  assert.equal(one.count[0]! * spanBytes(SHAPE, 3), 2 ** 38 + 4096);
});

test('addresses are marked at powers of two, sizes are said in binary units', () => {
  assert.deepEqual(
    addressTicks(0x1800, 0x9000, 500, 100).map(({ text }) => text),
    ['0x2000', '0x4000', '0x6000', '0x8000'],
  );
  assert.deepEqual([4096, 1536 * 1024, 2 ** 40, 7].map(sizeText), ['4 KiB', '1.5 MiB', '1 TiB', '7 B']);
});

test('the legend names every colour that the map draws with', () => {
  assert.deepEqual(
    mapLegend(LIGHT_PALETTE).map(({ text }) => text),
    ['block', 'page', 'table', 'invalid', 'locked', 'owner annotation', 'free pending', 'walker', 'hardware walker', 'waits for the lock'],
  );
});
