import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { EventColumns, K, copyRows, decodeEvent, encodeEvent, sliceRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { ipa } from '@s2lab/arch';
import { captureView, MachineView, restoreView, SlotHistory, tableTrees, TimelineError, tlbOf, treeLines, treeOf } from './index.ts';

const frames: readonly Frame[] = (() => {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 3 });
  const made: Frame[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
    made.push({ ...frame, rows: copyRows(frame.rows) });
  return made;
})();
const total = frames.reduce((sum, frame) => sum + frame.rows.length, 0);
/** An event at which dirty logging has split the blocks into pages. */
const MIDST = 3000;

function viewAt(seq: number, from: MachineView = new MachineView()): MachineView {
  for (const frame of frames) if (frame.firstSeq <= seq) from.fold(frame.rows, frame.firstSeq, seq);
  return from;
}

test('a view taken to an event, saved, restored and taken on is the view of one pass, at every tenth of a run', () => {
  const whole = viewAt(total - 1);
  for (let tenth = 1; tenth < 10; tenth += 1) {
    const seq = Math.floor((tenth * total) / 10);
    const view = viewAt(seq);
    const restored = restoreView(captureView(view));
    assert.deepEqual(restored, view);
    assert.deepEqual(viewAt(total - 1, restored).world, whole.world);
    assert.deepEqual(restored, whole);
  }
});

test('a view restored into one of another moment is the view that was saved, and takes over its arrays', () => {
  const seqs = Array.from({ length: 9 }, (_, i) => Math.floor(((i + 1) * total) / 10));
  for (const seq of seqs) {
    const saved = captureView(viewAt(seq));
    for (const other of seqs) {
      const used = viewAt(other);
      const { descriptors } = used.world!.pages;
      const restored = restoreView(saved, used);
      assert.deepEqual(restored, viewAt(seq), `event ${other} turned into event ${seq}`);
      if (seq === other) assert.equal(restored.world!.pages.descriptors, descriptors);
    }
    const foreign = new MachineView();
    foreign.build({ ...viewAt(seq).shape!, vcpus: 3 });
    assert.deepEqual(restoreView(saved, foreign), viewAt(seq));
  }
});

test('the view of a machine with protected guests is restored with the memory of which the hypervisor notes the owners', () => {
  const { producer } = assembleFleet(builtinScenarios.get('protected')!, { seed: 1 });
  const view = new MachineView();
  let saved: ReturnType<typeof captureView> | undefined;
  for (let folded = 0; folded < 3; folded += 1) {
    const { rows, firstSeq } = producer.nextFrame(Infinity)!;
    view.fold(rows, firstSeq);
    const earlier = saved;
    saved = captureView(view);
    const restored = restoreView(saved);
    assert.deepEqual(restored, view);
    assert.ok(restored.world!.memory.regions.length > 0);
    if (earlier !== undefined) assert.deepEqual(restoreView(saved, restoreView(earlier)), view);
  }
});

test('what the tree holds is what the writes up to that event left in each slot', () => {
  const seq = MIDST;
  const view = viewAt(seq);
  const trees = tableTrees(view);
  assert.ok(trees.some((tree) => tree.slots.length > 0));
  const leaves = (nodes: typeof trees): readonly (readonly [number, number])[] =>
    nodes.flatMap((node) => node.slots.flatMap((run) => (run.child === null ? [[node.table, run.slot] as const] : leaves([run.child]))));
  for (const [table, slot] of leaves(trees).slice(0, 40)) {
    const history = new SlotHistory({ table, slot });
    for (const frame of frames) {
      const count = Math.min(frame.rows.length, seq + 1 - frame.firstSeq);
      if (count > 0) history.fold(sliceRows(frame.rows, 0, count), frame.firstSeq);
    }
    const last = history.entries.findLast(({ new: after }) => after !== null)!;
    const d = view.world!.pages.indexOf(table, slot);
    assert.equal(
      BigInt(last.new!.bits),
      (BigInt(view.world!.pages.descriptors[d + 1]! >>> 0) << 32n) | BigInt(view.world!.pages.descriptors[d]! >>> 0),
    );
    assert.match(last.why, /map|relax|hardware walker|clear|wrprotect|unmap|age|split/);
  }
});

test('each write in a history begins where the one before it ended', () => {
  for (const slot of [0, 1, 2, 3, 200, 511]) {
    for (const table of [0, 2, 3, 4]) {
      const history = new SlotHistory({ table, slot });
      for (const frame of frames) history.fold(frame.rows, frame.firstSeq);
      let before = '0x0';
      for (const entry of history.entries) {
        if (entry.kind === 'table-allocated' || entry.kind === 'table-reused') before = '0x0';
        if (entry.old === null || entry.new === null) continue;
        assert.equal(entry.old.bits, before, `event ${entry.seq}`);
        before = entry.new.bits;
      }
    }
  }
});

test('a history by address finds the writes of every level on the way to it', () => {
  const address = 0x4000_0000;
  const history = new SlotHistory({ ipa: address });
  const leaf = new SlotHistory({ ipa: address, level: 2 });
  for (const frame of frames) {
    history.fold(frame.rows, frame.firstSeq);
    leaf.fold(frame.rows, frame.firstSeq);
  }
  assert.deepEqual(
    [1, 2, 3].filter((level) => history.entries.some((entry) => entry.level === level)),
    [1, 2, 3],
  );
  assert.deepEqual(
    leaf.entries,
    history.entries.filter(({ level }) => level === 2),
  );
});

test('at every event the actors hold what their events say: locks, sections and waiting agree with the world', () => {
  const view = new MachineView();
  for (const frame of frames) {
    for (let i = 0; i < frame.rows.length; i += 1) {
      view.fold(frame.rows, frame.firstSeq, frame.firstSeq + i);
      if (i % 7 !== 0 || view.world === undefined) continue;
      const all = Array.from({ length: view.vcpus + 2 }, (_, actor) => view.actors.of(actor));
      const { lock, inSection } = view.world.stage2(1);
      assert.equal(all.filter(({ lock }) => lock?.mode === 1).length, lock.readers);
      assert.equal(
        all.findIndex(({ lock }) => lock?.mode === 2),
        lock.writer,
      );
      assert.deepEqual(all.filter(({ waits }) => waits !== null).length, lock.waitingCount);
      assert.deepEqual(
        all.map(({ section }) => Number(section !== null)),
        [...inSection],
      );
    }
  }
});

test('a TLB holds the fills of its vCPU that were neither evicted nor invalidated', () => {
  const filled = frames[0]!.rows.kind.indexOf(K.tlbFilled);
  const event = decodeEvent(frames[0]!.rows, filled, filled, 0);
  assert.ok(event.kind === 'tlb-filled');
  const entry = tlbOf(viewAt(filled), event.actor).find(({ cache }) => cache === 'tlb');
  assert.equal(entry?.ipa, event.ipa);
  assert.deepEqual(
    tlbOf(viewAt(filled - 1), event.actor).filter(({ cache }) => cache === 'tlb'),
    [],
  );
});

test('a tree is bounded, can be narrowed to an address or a table, and says what it leaves out', () => {
  const view = viewAt(MIDST);
  const lines = treeLines(tableTrees(view), Infinity);
  const bounded = treeLines(tableTrees(view), 3);
  assert.equal(bounded.at(-1), `… ${lines.length - 3} more lines`);
  const way = tableTrees(view, ipa(0x4000_0000));
  assert.equal(way.length, 1);
  assert.equal(way[0]!.slots.length, 1);
  const child = way[0]!.slots[0]!.child!;
  assert.deepEqual(treeOf(view, child.table)!.ipa, child.ipa);
  assert.equal(treeOf(view, 99_999), undefined);
});

test('a gap is refused by name', () => {
  const view = viewAt(99);
  assert.throws(
    () => view.fold(frames[0]!.rows, 105),
    new TimelineError('events 100 to 104 are missing: what follows them cannot be rebuilt; the last event that can is 99'),
  );
});

test('a machine without a stage-2 has a view at any event, however long its log', () => {
  const rows = new EventColumns(20_000);
  encodeEvent(rows, { kind: 'machine-started', vcpus: 2, pageShift: 12 });
  while (rows.length < rows.capacity) encodeEvent(rows, { kind: 'memory-read', actor: rows.length % 2 });
  const view = new MachineView();
  view.fold(rows, 0);
  assert.equal(view.nextSeq, 20_000);
  assert.equal(view.world, undefined);
  assert.equal(view.actors.of(1).last?.seq, 19_999);
});
