import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  addressHi,
  addressLo,
  geometry,
  isTable,
  LAST_LEVEL,
  leafAttributesHi,
  leafAttributesLo,
  outputAddress,
  PROT,
  rootPageOf,
  slotOf,
  softwareProt,
  spanBytes,
} from './index.ts';

const granules = [12, 14, 16] as const;
const ipaSizes = Array.from({ length: 21 }, (_, i) => 32 + i);
const anyShape = fc
  .record({ pageShift: fc.constantFrom(...granules), ipaBits: fc.constantFrom(...ipaSizes), lpa2: fc.boolean() })
  .map(({ pageShift, ipaBits, lpa2 }) => geometry(pageShift, ipaBits, lpa2 && pageShift !== 16));

/** A page-aligned address below 2^bits. */
function pageAddress(bits: number, pageShift: number): fc.Arbitrary<number> {
  return fc.bigInt({ min: 0n, max: (1n << BigInt(bits - pageShift)) - 1n }).map((page) => Number(page << BigInt(pageShift)));
}

test('for every granule and IPA size the tree has the fewest levels whose roots, at most 16 concatenated, cover the space exactly', () => {
  for (const pageShift of granules) {
    const bits = BigInt(pageShift - 3);
    for (const ipaBits of ipaSizes) {
      // n levels below 2^c concatenated roots resolve pageShift + n × bits + c address bits. KVM has two levels at least.
      let levels = 2n;
      while (BigInt(pageShift) + levels * bits + 4n < BigInt(ipaBits)) levels += 1n;
      const roots = BigInt(ipaBits) - BigInt(pageShift) - levels * bits;
      const shape = geometry(pageShift, ipaBits);
      const name = `page shift ${pageShift}, IPA size ${ipaBits}`;
      assert.equal(shape.startLevel, 4 - Number(levels), name);
      assert.equal(shape.rootPages, roots > 0n ? 2 ** Number(roots) : 1, name);
      assert.ok(shape.rootPages <= 16, name);
      assert.equal(shape.pageBytes, shape.entries * 8, name);
      const covered = BigInt(shape.rootPages * shape.entries) * BigInt(spanBytes(shape, shape.startLevel));
      assert.ok(covered >= 1n << BigInt(ipaBits), name);
      if (roots >= 0n) assert.equal(covered, 1n << BigInt(ipaBits), name);
      assert.equal(rootPageOf(shape, shape.ipaBytes - 1), shape.rootPages - 1, name);
    }
  }
});

test('a descriptor covers one page at the last level and a whole table of the level below above it', () => {
  for (const pageShift of granules) {
    const shape = geometry(pageShift, 48);
    assert.equal(spanBytes(shape, LAST_LEVEL), shape.pageBytes);
    for (let level = 0; level < LAST_LEVEL; level += 1)
      assert.equal(spanBytes(shape, level), spanBytes(shape, level + 1) * shape.entries, `level ${level}`);
  }
});

test('blocks are those of the architecture without LPA2: 1G and 2M, 32M, 512M', () => {
  const blocks = granules.map((pageShift) => {
    const shape = geometry(pageShift, 48);
    return Array.from(shape.spans).slice(shape.minBlockLevel, LAST_LEVEL);
  });
  assert.deepEqual(blocks, [[2 ** 30, 2 ** 21], [2 ** 25], [2 ** 29]]);
});

test('root page and slots of all levels spell the address', () => {
  fc.assert(
    fc.property(
      anyShape.chain((shape) => fc.tuple(fc.constant(shape), pageAddress(shape.ipaBits, shape.pageShift))),
      ([shape, address]) => {
        let spelled = BigInt(rootPageOf(shape, address)) * BigInt(shape.entries) * BigInt(spanBytes(shape, shape.startLevel));
        for (let level: number = shape.startLevel; level <= LAST_LEVEL; level += 1) {
          const slot = slotOf(shape, address, level);
          assert.ok(slot >= 0 && slot < shape.entries);
          spelled += BigInt(slot) * BigInt(spanBytes(shape, level));
        }
        assert.equal(spelled, BigInt(address));
      },
    ),
    { numRuns: 2000 },
  );
});

/** Bits of output address that the granule can say: 52 for 64K, and with LPA2; else 48. */
function outputBits(shape: ReturnType<typeof geometry>): number {
  return shape.pageShift === 16 || shape.lpa2 ? 52 : 48;
}

test('a descriptor says its output address again, whatever its attributes', () => {
  const anyProt = fc.record({ access: fc.integer({ min: 0, max: 15 }), software: fc.integer({ min: 0, max: 15 }) });
  fc.assert(
    fc.property(
      anyShape.chain((shape) => fc.tuple(fc.constant(shape), pageAddress(outputBits(shape), shape.pageShift), anyProt)),
      ([shape, address, { access, software }]) => {
        const prot = access | (software * PROT.sw0);
        const attributes = leafAttributesLo(prot, shape, { fwb: true, xnx: true, asStage1: false });
        const lo = (addressLo(shape, address) | attributes | 3) >>> 0;
        const hi = (addressHi(shape, address) | leafAttributesHi(prot)) >>> 0;
        assert.equal(outputAddress(shape, lo, hi), address);
        assert.equal(softwareProt(hi), software * PROT.sw0);
        assert.ok(isTable(lo, 2) && !isTable(lo, LAST_LEVEL));
      },
    ),
    { numRuns: 2000 },
  );
});
