import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Backing, Memslot } from './index.ts';

const MIB = 2 ** 20;

test('a block fits when IPA and HVA agree modulo its size and it lies inside the memslot', () => {
  const memslot = new Memslot(0, 0x8010_0000, 5 * MIB, 0, false);
  const same = new Backing(0x7f00_0010_0000, 12, 1);
  assert.equal(same.fitsBlock(memslot, 0x8020_0000, 21), true);
  assert.equal(same.fitsBlock(memslot, 0x8010_0000, 21), false, 'the block begins before the memslot');
  assert.equal(same.fitsBlock(memslot, 0x8060_0000 - 1, 21), true);
  assert.equal(same.fitsBlock(memslot, 0x8060_0000, 21), false, 'the block ends behind the memslot');
  assert.equal(new Backing(0x7f00_0018_0000, 12, 1).fitsBlock(memslot, 0x8020_0000, 21), false, 'addresses differ modulo the block');
});

test('huge pages back every aligned block, none, or those whose number is not a multiple of thp', () => {
  const memslot = new Memslot(0, 0, 16 * MIB, 0, false);
  const backed = (thp: number) => [0, 1, 2, 3].map((block) => new Backing(0, 12, thp).hugePageAt(memslot, block * 2 * MIB, 21));
  assert.deepEqual(
    [backed(0), backed(1), backed(2)],
    [
      [false, false, false, false],
      [true, true, true, true],
      [false, true, false, true],
    ],
  );
});
