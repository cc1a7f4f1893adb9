import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Frame } from '@s2lab/events';
import { copyRows, K, sliceRows } from '@s2lab/events';
import { GOOD_TRACES, MUTANTS } from '@s2lab/testkit';
import { RULES, Verifier } from '../index.ts';
import type { Verdict } from '../index.ts';
import { Bookmark } from './bookmark.ts';
import { decodeGraph, encodeGraph } from './object-graph.ts';

function cutAt(frames: readonly Frame[], cut: number): [Frame[], Frame[]] {
  const before: Frame[] = [];
  const after: Frame[] = [];
  let seen = 0;
  for (const { origin, firstSeq, rows } of frames) {
    const n = Math.max(0, Math.min(rows.length, cut - seen));
    seen += rows.length;
    if (n > 0) before.push({ origin, firstSeq, rows: sliceRows(rows, 0, n) });
    if (n < rows.length) after.push({ origin, firstSeq: firstSeq + n, rows: sliceRows(rows, n, rows.length) });
  }
  return [before, after];
}

/** The verdict when judging is cut at the given events, each time kept and taken up by a new verifier. */
function interrupted(frames: readonly Frame[], cuts: readonly number[]): Verdict {
  let verifier = new Verifier();
  let rest: Frame[] = [...frames];
  let done = 0;
  for (const cut of cuts) {
    const [before, after] = cutAt(rest, cut - done);
    for (const frame of before) verifier.fold(frame);
    verifier = Verifier.resume(structuredClone(verifier.snapshot()));
    rest = after;
    done = cut;
  }
  for (const frame of rest) verifier.fold(frame);
  return verifier.finish();
}

function uninterrupted(frames: readonly Frame[]): Verdict {
  return interrupted(frames, []);
}

describe('a verifier taken up from a snapshot', () => {
  for (const { invariant, name, frames } of MUTANTS)
    test(`comes to the same verdict, wherever it is cut: ${invariant}, ${name}`, () => {
      const log = [...frames()];
      const events = log.reduce((sum, { rows }) => sum + rows.length, 0);
      const expected = uninterrupted(log);
      const point = fc.nat(events);
      fc.assert(
        fc.property(fc.array(point, { minLength: 1, maxLength: 3 }), (cuts) => {
          assert.deepEqual(
            interrupted(
              log,
              cuts.toSorted((a, b) => a - b),
            ),
            expected,
          );
        }),
        { numRuns: events > 5000 ? 8 : 40 },
      );
    });

  test('finds a mutant right after the cut, too: cut before every event', () => {
    for (const { frames } of MUTANTS) {
      const log = [...frames()];
      const expected = uninterrupted(log);
      const at = expected.violations[0]?.seq ?? 0;
      for (const cut of [at - 2, at - 1, at, at + 1]) if (cut >= 0) assert.deepEqual(interrupted(log, [cut]), expected);
    }
  });

  test('comes to the same verdict of every good trace', () => {
    for (const { name, frames } of GOOD_TRACES) {
      const log = [...frames()];
      const events = log.reduce((sum, { rows }) => sum + rows.length, 0);
      for (let n = 1; n < 8; n++) assert.deepEqual(interrupted(log, [Math.floor((events * n) / 8)]), uninterrupted(log), name);
    }
  });

  test('refuses a snapshot of other rules or another version', () => {
    const snapshot = new Verifier().snapshot();
    assert.throws(() => Verifier.resume(snapshot, { rules: ['I3'] }), /of the rules I1,.*asked for are I3$/);
    assert.throws(() => Verifier.resume({ ...snapshot, version: 0 }), /version 0/);
    assert.throws(() => Verifier.resume({ ...snapshot, records: [] }), RangeError);
  });

  test('no rule remembers anything outside what it keeps', () => {
    for (const { id, attach } of RULES) {
      const source = attach.toString().replaceAll(/keep\(\(\)[^;]*;/g, '');
      assert.doesNotMatch(source, /^\s*let |\bnew [A-Z]|const \w+(: [^=]+)? = (\[|\{)/m, `${id}: state in attach that no snapshot holds`);
    }
  });
});

/** The verdict after some frames, and others in the place of which `log` is then folded. */
function rewound(log: readonly Frame[], cut: number, astray: readonly Frame[], times: number): Verdict {
  const [before, after] = cutAt(log, cut);
  const verifier = new Verifier();
  for (const frame of before) verifier.fold(frame);
  const goBack = verifier.bookmark();
  for (let n = 0; n < times; n++) {
    for (const frame of astray) verifier.fold(frame);
    goBack();
  }
  for (const frame of after) verifier.fold(frame);
  return verifier.finish();
}

describe('a verifier taken back to a bookmark', () => {
  const logs = [...MUTANTS, ...GOOD_TRACES].map(({ name, frames }) => ({ name, log: [...frames()] }));

  for (const { name, log } of logs)
    test(`comes to the same verdict as one that never went on, wherever the bookmark is: ${name}`, () => {
      const events = log.reduce((sum, { rows }) => sum + rows.length, 0);
      const expected = uninterrupted(log);
      fc.assert(
        fc.property(fc.nat(events), fc.nat(events), (cut, seen) => {
          const [, rest] = cutAt(log, cut);
          // On to some place of the same log, with another machine beside it, and a gap.
          const [astray] = cutAt(rest, seen);
          const other = logs[(cut + seen) % logs.length]!.log.slice(0, 1).map((frame) => ({
            ...frame,
            origin: { ...frame.origin, run: 'other' },
          }));
          const gap = cutAt(log, Math.min(events, cut + seen + 2))[1].slice(0, 1);
          assert.deepEqual(rewound(log, cut, [...astray, ...other, ...gap], 1 + (seen % 2)), expected);
        }),
        { numRuns: events > 5000 ? 4 : 30 },
      );
    });

  test('judges a read anew that it had nothing to say of on the other way', () => {
    const [frame] = [...MUTANTS.find(({ invariant, name }) => invariant === 'I9' && name.includes('outside a read section'))!.frames()];
    const { origin, rows } = frame!;
    const expected = uninterrupted([frame!]);
    const { seq } = expected.violations[0]!;
    assert.equal(rows.kind[seq], K.descriptorRead);
    const verifier = new Verifier();
    verifier.fold({ origin, firstSeq: 0, rows: sliceRows(rows, 0, seq) });
    const goBack = verifier.bookmark();
    const inSection = copyRows(sliceRows(rows, seq - 1, seq + 1));
    inSection.kind[0] = K.readSectionEntered;
    verifier.fold({ origin, firstSeq: seq, rows: inSection });
    assert.equal(verifier.violationCount, 0);
    goBack();
    verifier.fold({ origin, firstSeq: seq, rows: sliceRows(rows, seq, rows.length) });
    assert.deepEqual(verifier.finish(), expected);
  });

  test('begins a machine anew of which nothing had been folded', () => {
    for (const { name, log } of logs) {
      const verifier = new Verifier();
      verifier.fold({ ...log[0]!, rows: sliceRows(log[0]!.rows, 0, 0) });
      const goBack = verifier.bookmark();
      for (let n = 0; n < 2; n++) {
        for (const frame of log) verifier.fold(frame);
        assert.deepEqual(verifier.finish(), uninterrupted(log), name);
        goBack();
      }
    }
  });

  test('goes back to any of several bookmarks, in any order', () => {
    for (const { name, log } of logs) {
      const events = log.reduce((sum, { rows }) => sum + rows.length, 0);
      const [first, rest] = cutAt(log, Math.floor(events / 3));
      const [second, third] = cutAt(rest, Math.floor(events / 3));
      const verifier = new Verifier();
      const fold = (frames: readonly Frame[]): void => frames.forEach((frame) => verifier.fold(frame));
      fold(first);
      const toFirst = verifier.bookmark();
      fold(second);
      const toSecond = verifier.bookmark();
      for (const [back, left] of [
        [toFirst, [...second, ...third]],
        [toSecond, third],
        [toSecond, third],
        [toFirst, [...second, ...third]],
      ] as const) {
        fold(third);
        back();
        fold(left);
        assert.deepEqual(verifier.finish(), uninterrupted(log), name);
      }
    }
  });
});

describe('an object graph', () => {
  test('keeps identity, cycles, holes, shared buffers and every kind of number', () => {
    const buffer = new ArrayBuffer(16);
    const shared = { n: Number.NaN };
    const graph: Record<string, unknown> = {
      one: shared,
      two: shared,
      low: new Uint8Array(buffer, 0, 8),
      high: new Int32Array(buffer, 8, 2),
      map: new Map<unknown, unknown>([
        [1, shared],
        ['x', undefined],
      ]),
      set: new Set([shared, -0]),
      sparse: Object.assign([] as unknown[], { 70_000: 'far' }),
      nothing: null,
    };
    graph['self'] = graph;
    const again = decodeGraph(structuredClone(encodeGraph(graph, [])), []) as typeof graph;
    assert.deepEqual(again, graph);
    assert.equal(again['one'], again['two']);
    assert.equal(again['self'], again);
    (again['low'] as Uint8Array)[0] = 7;
    assert.equal(new Uint8Array((again['high'] as Int32Array).buffer)[0], 7, 'the views share their buffer again');
    assert.equal((again['sparse'] as unknown[]).length, 70_001);
  });

  test('is put back from a bookmark into the same objects, however they were changed', () => {
    const inner = { n: 1 };
    const make = (): Record<string, unknown> => ({
      inner,
      list: [inner, 2],
      numbers: Float64Array.of(1, 2, Number.NaN),
      map: new Map<unknown, unknown>([['a', inner]]),
      set: new Set<unknown>([1, 'b']),
    });
    const graph = make();
    const { list, numbers, map, set } = graph as { list: unknown[]; numbers: Float64Array; map: Map<unknown, unknown>; set: Set<unknown> };
    const bookmark = new Bookmark(graph);
    inner.n = 7;
    list.push(3);
    numbers.fill(9);
    map.set('c', 1).delete('a');
    set.add(2).delete(1);
    graph['set'] = graph['inner'] = undefined;
    bookmark.putBack();
    assert.deepEqual(graph, make());
    assert.deepEqual(
      [graph['list'], graph['numbers'], graph['map'], graph['set']].map((o, i) => o === [list, numbers, map, set][i]),
      [true, true, true, true],
    );
    assert.equal(inner.n, 1);
  });

  test('refuses functions, and classes that it does not know or knows otherwise, by the way to them', () => {
    class Known {
      a = 1;
    }
    assert.throws(() => encodeGraph({ x: [{ y: () => 1 }] }, []), /state\.x\[0\]\.y is a function/);
    assert.throws(() => encodeGraph({ k: new Known() }, []), /state\.k is a Known/);
    const records = encodeGraph({ k: new Known() }, [['Known', () => new Known()]]);
    assert.throws(() => decodeGraph(records, []), /holds a Known, which/);
    assert.throws(() => decodeGraph(records, [['Known', () => Object.assign(new Known(), { b: 2 })]]), /in this program it has a, b/);
  });
});
