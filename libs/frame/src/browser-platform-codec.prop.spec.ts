import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isDamage } from '@s2lab/events';
import { assertSameStream, interleavedFrames } from '@s2lab/testkit';
import { platformCodec as browser } from './browser-platform-codec.ts';
import { platformCodec as node } from './node-platform-codec.ts';
import { decodeFrame, encodeFrame } from './index.ts';

test('a browser unpacks what Node packed, and its checksums are the same, in pieces too', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(3000), (bytes, cut) => {
      assert.deepEqual(Uint8Array.from(browser.decompress(node.compress(bytes), bytes.byteLength)), bytes);
      assert.equal(browser.crc32(bytes, 0), node.crc32(bytes, 0));
      assert.equal(browser.crc32(bytes.subarray(cut), browser.crc32(bytes.subarray(0, cut), 0)), node.crc32(bytes, 0));
    }),
    { numRuns: 60 },
  );
});

test('a browser decodes frames as Node does, and takes changed bytes for damage', () => {
  for (const frame of interleavedFrames(2, 2, 200)) {
    const bytes = encodeFrame(frame);
    const decoded = decodeFrame(bytes, 'test', { codec: browser });
    assert.ok(!isDamage(decoded));
    assertSameStream([decoded], [frame]);
    const changed = Uint8Array.from(bytes);
    changed[changed.length - 20]! ^= 4;
    assert.ok(isDamage(decodeFrame(changed, 'test', { codec: browser })));
  }
});

test('a column that does not unpack to its size is damage, not a crash', () => {
  const packed = node.compress(new Uint8Array(5000).fill(7));
  for (const [bytes, size] of [
    [packed, 100],
    [packed.subarray(0, packed.length - 4), 5000],
    [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 5000],
  ] as const)
    assert.notEqual(browser.decompress(bytes, size).byteLength, size);
});
