import { test } from 'node:test';
import assert from 'node:assert/strict';
import { geometry, rootPageOf, slotOf, spanBytes } from './index.ts';

test('start level and concatenation agree with the kernel for every granule', () => {
  const expected: readonly (readonly [number, number, number, number])[] = [
    [12, 32, 2, 4],
    [12, 36, 1, 1],
    [12, 39, 1, 1],
    [12, 40, 1, 2],
    [12, 43, 1, 16],
    [12, 44, 0, 1],
    [12, 48, 0, 1],
    [12, 52, 0, 16],
    [14, 36, 2, 1],
    [14, 40, 2, 16],
    [14, 42, 1, 1],
    [14, 47, 1, 1],
    [14, 48, 1, 2],
    [16, 42, 2, 1],
    [16, 46, 2, 16],
    [16, 47, 1, 1],
    [16, 52, 1, 1],
  ];
  for (const [pageShift, ipaBits, startLevel, rootPages] of expected) {
    const shape = geometry(pageShift, ipaBits);
    assert.deepEqual([pageShift, ipaBits, shape.startLevel, shape.rootPages], [pageShift, ipaBits, startLevel, rootPages]);
  }
});

test('slots and root pages cut an address as the hardware does', () => {
  const shape = geometry(12, 40);
  assert.equal(spanBytes(shape, 1), 2 ** 30);
  assert.equal(spanBytes(shape, 3), 4096);
  const address = 0xea_bc01_000;
  assert.deepEqual([slotOf(shape, address, 1), slotOf(shape, address, 2), slotOf(shape, address, 3)], [58, 350, 1]);
  assert.equal(rootPageOf(shape, 600 * 2 ** 30), 1);
});

test('a thin stage-2 has the levels and pages of the architecture, and tables of as few descriptors as it is asked for', () => {
  const shape = geometry(12, 14, false, 1);
  assert.deepEqual([shape.startLevel, shape.rootPages, shape.entries, shape.minBlockLevel, shape.ipaBytes], [2, 1, 2, 1, 4 * 4096]);
  assert.deepEqual([spanBytes(shape, 3), spanBytes(shape, 2), slotOf(shape, 0x3000, 2), slotOf(shape, 0x3000, 3)], [4096, 8192, 1, 1]);
  assert.throws(() => geometry(12, 13, false, 1), /IPA size 13: must be 14 to 52/);
  assert.throws(() => geometry(12, 40, false, 10), /tables of 2\^10 descriptors/);
});

test('an impossible granule or IPA size is refused by name', () => {
  assert.throws(() => geometry(13, 40), /page shift 13/);
  assert.throws(() => geometry(12, 53), /IPA size 53/);
});
