import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanBytes } from '@s2lab/arch';
import type { Frame } from '@s2lab/events';
import { copyRows, K } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { describeDescriptor, MachineView } from '@s2lab/timeline';
import {
  captureStage2,
  shapeOf,
  slotAt,
  SLOT_NAMES,
  stateFromJson,
  spliceDetail,
  stateFromTable,
  stateToJson,
  stateToTable,
} from './index.ts';

const ORIGIN = { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm' };
const frames: readonly Frame[] = (() => {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 3 });
  const made: Frame[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
    if (frame.origin.machine === 0) made.push({ ...frame, rows: copyRows(frame.rows) });
  return made;
})();
const total = frames.reduce((sum, frame) => sum + frame.rows.length, 0);

function viewAt(seq: number): MachineView {
  const view = new MachineView();
  for (const frame of frames) if (frame.firstSeq <= seq) view.fold(frame.rows, frame.firstSeq, seq);
  return view;
}

test('at every twentieth of a run the map says of each descriptor what the tables hold', () => {
  for (let part = 1; part < 20; part += 1) {
    const view = viewAt(Math.floor((part * total) / 20));
    const state = captureStage2(view, ORIGIN);
    const { pages } = view.world!;
    const { shape, features, root, rootPages } = view.stage2s[0]!;
    let seen = 0;
    const check = (table: number, level: number, ipa: number): void => {
      for (let slot = 0; slot < shape.entries; slot += 1) {
        const d = pages.indexOf(table, slot);
        const words = describeDescriptor(shape, features, pages.descriptors[d]!, pages.descriptors[d + 1]!, level);
        const found = slotAt(state, shape, level, ipa + slot * spanBytes(shape, level))!;
        assert.deepEqual([found.table, found.slot, found.descriptor], [table, slot, words]);
        assert.equal(SLOT_NAMES[found.state], { empty: 'invalid', annotated: 'owner annotation' }[words.kind as 'empty'] ?? words.kind);
        seen += 1;
        if (words.kind === 'table')
          check(view.childOf(view.world!, pages.descriptors[d]!, pages.descriptors[d + 1]!), level + 1, found.ipa);
      }
    };
    if (root >= 0)
      for (let page = 0; page < rootPages; page += 1)
        check(root + page, shape.startLevel, page * spanBytes(shape, shape.startLevel) * shape.entries);
    assert.ok(root < 0 || seen > 0);
  }
});

test('pending frees are those that the retirements and reclaims of the log leave, and walkers stand where they last touched a descriptor', () => {
  let most = 0;
  let placed = 0;
  const pending = new Set<number>();
  let row = 0;
  for (const { rows } of frames)
    for (let i = 0; i < rows.length; i += 1, row += 1) {
      if (rows.kind[i] === K.tableRetired) pending.add(rows.table[i]!);
      else if (rows.kind[i] === K.reclaimEnded) pending.delete(rows.table[i]!);
      else if (row % 997 !== 0 || row === 0) continue;
      const view = viewAt(row);
      const state = captureStage2(view, ORIGIN);
      assert.deepEqual(new Set(state.pending.map(({ table }) => table)), pending);
      most = Math.max(most, pending.size);
      for (const walker of state.walkers) if (walker.kind !== 'waits') placed += 1;
      assert.equal(state.seq, row);
    }
  assert.ok(most > 0, 'the run retires tables');
  assert.ok(placed > 0, 'walkers are seen inside');
});

test('a range and levels of a state are parts of the whole, and travel as JSON unchanged', () => {
  // Dirty logging has split the blocks into pages here.
  const view = viewAt(3000);
  const whole = captureStage2(view, ORIGIN);
  const shape = shapeOf(whole)!;
  assert.ok(whole.levels[3]!.length > 0);
  const from = whole.levels[3]!.ipa[0]!;
  const part = captureStage2(view, ORIGIN, { from, to: from + 2 ** 21, top: 2, bottom: 2 });
  assert.equal(part.levels[1]!.length + part.levels[3]!.length, 0);
  assert.deepEqual(slotAt(part, shape, 2, from), slotAt(whole, shape, 2, from));
  assert.deepEqual(stateFromJson(JSON.parse(JSON.stringify(stateToJson(whole)))), { ...whole, levels: whole.levels });
  assert.deepEqual(stateFromTable(stateToTable(stateToJson(whole))), stateToJson(whole));
  assert.throws(() => stateFromJson({ ...stateToJson(whole), version: 9 as never }), /version 9; this program reads version 1/);
  const broken = stateToJson(part);
  assert.throws(() => stateFromJson({ ...broken, levels: [{ ...broken.levels[0]!, lo: [] }] }), /column lo of level 2 has 0 of/);
});

test('a machine that has no stage-2 yet has a state with nothing in it', () => {
  const state = captureStage2(new MachineView(), ORIGIN);
  assert.equal(state.shape, undefined);
  assert.equal(state.seq, -1);
  assert.deepEqual(stateFromJson(stateToJson(state)), state);
});

test('a part asked for in detail and put into a merged state is exact there, and the rest is as it was', () => {
  const view = viewAt(3000);
  const whole = captureStage2(view, ORIGIN);
  const merged = captureStage2(view, ORIGIN, { maxRuns: 16 });
  assert.equal(merged.exact, false);
  const shape = shapeOf(whole)!;
  const pages = whole.levels[3]!;
  const from = pages.ipa[0]!;
  const to = from + 2 ** 21;
  const spliced = spliceDetail(merged, captureStage2(view, ORIGIN, { from, to }));
  assert.deepEqual([spliced.from, spliced.to, spliced.exact], [whole.from, whole.to, true]);
  for (let ipa = from; ipa < to; ipa += shape.pageBytes)
    for (const level of [1, 2, 3]) assert.deepEqual(slotAt(spliced, shape, level, ipa), slotAt(whole, shape, level, ipa));
  for (const runs of spliced.levels) for (let i = 1; i < runs.length; i += 1) assert.ok(runs.ipa[i]! > runs.ipa[i - 1]!, 'in order');
  const beyond = merged.levels[1]!;
  const last = beyond.length - 1;
  assert.equal(spliced.levels[1]!.ipa[spliced.levels[1]!.length - 1], beyond.ipa[last]);
});
