import { test } from 'node:test';
import assert from 'node:assert/strict';
import { addressHi, addressLo, geometry, hex64, leafAttributesHi, leafAttributesLo, outputAddress, PROT } from './index.ts';

const fwb = { fwb: true, xnx: true, asStage1: false };

test('a read-write-execute page with FWB is OA|0x7db, without execute bit 54 is added', () => {
  const shape = geometry(12, 40);
  const rwx = PROT.r | PROT.w | PROT.x;
  assert.equal(leafAttributesLo(rwx, shape, fwb) | 3, 0x7db);
  assert.equal(leafAttributesHi(rwx), 0);
  const rw = PROT.r | PROT.w;
  assert.equal(hex64(leafAttributesLo(rw, shape, fwb) | 1, leafAttributesHi(rw)), '0x400000000007d9');
});

test('device or non-cacheable memory is never executable, and never both', () => {
  const shape = geometry(12, 40);
  assert.equal(leafAttributesLo(PROT.r | PROT.x | PROT.device, shape, fwb), -1);
  assert.equal(leafAttributesLo(PROT.r | PROT.device | PROT.normalNc, shape, fwb), -1);
  assert.equal(leafAttributesLo(PROT.r | PROT.px, shape, { ...fwb, xnx: false }), -1);
});

test('output addresses survive the descriptor at every granule and with LPA2', () => {
  for (const [pageShift, ipaBits, lpa2, address] of [
    [12, 40, false, 0xffff_ffff_f000],
    [14, 47, false, 0x8765_4321_4000],
    [16, 52, false, 0xf_8765_4321_0000],
    [12, 52, true, 0xf_8765_4321_f000],
  ] as const) {
    const shape = geometry(pageShift, ipaBits, lpa2);
    assert.equal(outputAddress(shape, addressLo(shape, address) | 3, addressHi(shape, address)), address);
  }
});
