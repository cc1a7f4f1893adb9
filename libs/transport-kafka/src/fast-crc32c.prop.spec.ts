import { test } from 'node:test';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { crc32c, kafkajsCrc32c } from './fast-crc32c.ts';

test('the checksum equals that of kafkajs for any bytes at any alignment', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(8), (bytes, from) => {
      const view = bytes.subarray(Math.min(from, bytes.byteLength));
      assert.equal(crc32c(view), kafkajsCrc32c(view));
    }),
    { numRuns: 1000 },
  );
});

test('the checksum of the digits 1 to 9 is the published one', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
});

test('kafkajs uses this checksum from now on', () => {
  assert.notEqual(kafkajsCrc32c, crc32c);
  assert.equal(createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C'), crc32c);
});
