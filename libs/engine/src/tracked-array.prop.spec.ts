import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PieceTree } from './piece-tree.ts';
import { TrackedArray } from './tracked-array.ts';

/** Elements of four pieces, the last of them not full. */
const LENGTH = 1000;

const anyDeed = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), at: fc.nat(LENGTH - 1), value: fc.nat(3) }) },
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('restore' as const), which: fc.nat() }),
);

test('a tracked array is restored to what it was, whatever was taken and restored in between', () => {
  fc.assert(
    fc.property(fc.array(anyDeed, { size: 'large' }), (deeds) => {
      const array = new TrackedArray(new Int32Array(LENGTH));
      const other = new TrackedArray(new Int32Array(LENGTH).fill(9));
      const taken: { tree: PieceTree; data: Int32Array }[] = [];
      for (const deed of deeds) {
        if (deed.do === 'write') {
          array.data[deed.at] = deed.value;
          array.touchAt(deed.at);
        } else if (deed.do === 'take') taken.push({ tree: array.take(), data: array.data.slice() });
        else if (taken.length > 0) {
          const { tree, data } = taken[deed.which % taken.length]!;
          array.restore(tree);
          other.restore(tree);
          assert.deepEqual(array.data, data);
          assert.deepEqual(other.data, data);
        }
      }
    }),
  );
});

test('what is taken twice is the same, and shares all pieces but the changed one with what was taken before', () => {
  const array = new TrackedArray(new Uint8Array(LENGTH));
  const first = array.take();
  assert.equal(array.take(), first);
  array.data[300] = 1;
  array.touchAt(300);
  const changed: number[] = [];
  first.forEachDifference(array.take(), (i) => changed.push(i));
  assert.deepEqual(changed, [1]);
});

test('an array that grew is restored to what it was, nothing of what came later left in it', () => {
  const array = new TrackedArray(new Float64Array(2));
  array.data[1] = 5;
  const small = array.take();
  array.grow(new Float64Array(4));
  array.data[3] = 7;
  array.touchAt(3);
  array.take();
  array.restore(small);
  assert.deepEqual([...array.data], [0, 5, 0, 0]);
});

test('a tree of pieces holds what a map holds, and tells any two states apart', () => {
  const anyPuts = fc.array(fc.tuple(fc.nat(40_000), fc.nat(2)), { maxLength: 60 });
  const pieces = [0, 1, 2].map((value) => Int32Array.of(value));
  const build = (puts: readonly (readonly [number, number])[]) => ({
    tree: puts.reduce((tree, [i, value]) => tree.with(i, pieces[value]!), PieceTree.EMPTY),
    map: new Map(puts),
  });
  fc.assert(
    fc.property(anyPuts, anyPuts, (before, after) => {
      const a = build(before);
      const b = build(after);
      for (const [i, value] of a.map) assert.equal(a.tree.get(i), pieces[value]);
      const expected = [...new Set([...a.map.keys(), ...b.map.keys()])].filter((i) => a.map.get(i) !== b.map.get(i));
      const found: number[] = [];
      a.tree.forEachDifference(b.tree, (i, piece) => {
        assert.equal(piece, b.tree.get(i));
        found.push(i);
      });
      assert.deepEqual(
        found,
        expected.toSorted((x, y) => x - y),
      );
    }),
  );
});
