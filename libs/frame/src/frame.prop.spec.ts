import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { copyRows, isDamage, SCHEMA_VERSION, sliceRows } from '@s2lab/events';
import { anyFrame, assertSameFrame, randomRows } from '@s2lab/testkit';
import type { FrameCodec } from './index.ts';
import {
  checksumPlace,
  decodeFrame,
  encodeFrame,
  MAX_FRAME_ROWS,
  messageChecksum,
  platformCodec,
  readPrefix,
  releaseFrame,
  ROW_BYTES,
} from './index.ts';

const origin = { run: 'r', machine: 3, policy: 'rcu', machineKind: 'kvm', workload: 'boot' };

function metadataBytesOf(message: Uint8Array): number {
  const prefix = readPrefix(message, 0);
  assert.ok(prefix !== undefined && prefix !== 'end');
  return prefix.metadataBytes;
}

/** Gives `message` the checksum of what it now holds, as a forger would. */
function reseal(message: Uint8Array): Uint8Array {
  const metadataBytes = metadataBytesOf(message);
  const digits = messageChecksum(message, metadataBytes, platformCodec);
  for (let i = 0; i < digits.length; i += 1) message[checksumPlace(metadataBytes) + i] = digits.charCodeAt(i);
  return message;
}

/** Replaces `from` by `to`, of the same length, where it first occurs in the flatbuffer. */
function replaceText(message: Uint8Array, from: string, to: string): Uint8Array {
  const at = Buffer.from(message).indexOf(from);
  assert.ok(at > 0, `${from} is not in the message`);
  message.set(Buffer.from(to), at);
  return reseal(message);
}

test('decoding an encoded frame gives the same frame', () => {
  fc.assert(
    fc.property(anyFrame(300), (frame) => assertSameFrame(decodeFrame(encodeFrame(frame), 'here'), frame)),
    { numRuns: 200 },
  );
});

test('encoding is deterministic', () => {
  fc.assert(
    fc.property(anyFrame(100), (frame) => assert.deepEqual(encodeFrame(frame), encodeFrame(frame))),
    { numRuns: 20 },
  );
});

test('a frame that begins at any address of a larger buffer is read', () => {
  const frame = { origin, firstSeq: 7, rows: randomRows(1, 9) };
  const message = encodeFrame(frame);
  for (let shift = 0; shift < 8; shift += 1) {
    for (const larger of [new Uint8Array(message.byteLength + 8), Buffer.alloc(message.byteLength + 8)]) {
      larger.set(message, shift);
      assertSameFrame(decodeFrame(larger.subarray(shift, shift + message.byteLength), 'here'), frame);
    }
  }
});

test('a flipped bit in any byte is found', () => {
  const message = encodeFrame({ origin, firstSeq: 0, rows: randomRows(2, 40) });
  for (let i = 0; i < message.byteLength; i += 1) {
    message[i]! ^= 1 << (i & 7);
    const item = decodeFrame(message, 'byte 8');
    assert.ok(isDamage(item), `byte ${i}`);
    assert.equal(item.where, 'byte 8');
    message[i]! ^= 1 << (i & 7);
  }
  assert.ok(!isDamage(decodeFrame(message, 'whole again')));
});

test('a frame cut at any byte is damage, and torn once its header is whole', () => {
  const message = encodeFrame({ origin, firstSeq: 0, rows: randomRows(2, 40) });
  const header = 8 + metadataBytesOf(message);
  for (let length = 0; length < message.byteLength; length += 1) {
    const item = decodeFrame(message.subarray(0, length), 'here');
    assert.ok(isDamage(item), `cut at ${length}`);
    if (length >= header) assert.equal(item.damage, 'torn');
  }
});

test('bytes made to mislead, with a right checksum, end in damage and never in a large allocation', () => {
  const message = encodeFrame({ origin, firstSeq: 12, rows: randomRows(3, 70) });
  let asked = 0;
  const watching: FrameCodec = {
    ...platformCodec,
    decompress: (bytes, size) => {
      asked += size;
      return platformCodec.decompress(bytes, size);
    },
  };
  const flips = fc.array(fc.tuple(fc.nat(message.byteLength - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(flips, (changes) => {
      const forged = message.slice();
      for (const [at, value] of changes) forged[Math.max(8, at)] = value;
      asked = 0;
      decodeFrame(reseal(forged), 'forged', { codec: watching });
      assert.ok(asked <= MAX_FRAME_ROWS * ROW_BYTES);
    }),
    { numRuns: 3000 },
  );
});

test('random bytes are damage', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => assert.ok(isDamage(decodeFrame(bytes, 'noise')))),
    { numRuns: 500 },
  );
});

test('a frame of another schema version is unsupported, and the answer names both versions', () => {
  const message = encodeFrame({ origin, firstSeq: 0, rows: randomRows(4, 5) });
  const text = Buffer.from(message).indexOf(Buffer.from([1, 0, 0, 0, String(SCHEMA_VERSION).charCodeAt(0), 0]));
  message[text + 4] = '9'.charCodeAt(0);
  const item = decodeFrame(reseal(message), 'byte 0');
  assert.deepEqual(item, {
    damage: 'unsupported',
    where: 'byte 0',
    because: `it has schema version 9, this program reads ${SCHEMA_VERSION}`,
  });
});

test('an event of a kind that the schema lacks is unsupported, and the answer names the event', () => {
  const rows = randomRows(5, 6);
  rows.kind[4] = 250;
  const item = decodeFrame(encodeFrame({ origin, firstSeq: 100, rows }), 'here');
  assert.ok(isDamage(item));
  assert.equal(item.damage, 'unsupported');
  assert.match(item.because, /event 104 is of kind 250/);
});

test('metadata that contradicts the batch is corrupt', () => {
  const message = encodeFrame({ origin, firstSeq: 4711, rows: randomRows(6, 60) });
  for (const [from, to] of [
    ['60', '61'],
    ['4711', '-471'],
    ['4711', '4e11'],
    ['workload', 'worklord'],
  ] as const) {
    const item = decodeFrame(replaceText(message.slice(), from, to), 'here');
    assert.ok(isDamage(item), `${from} as ${to}`);
    assert.equal(item.damage, 'corrupt');
  }
});

test('a column that unpacks to more than its rows is refused before it is unpacked whole', () => {
  const bomb: FrameCodec = { ...platformCodec, compress: () => platformCodec.compress(new Uint8Array(50_000_000)) };
  const item = decodeFrame(encodeFrame({ origin, firstSeq: 0, rows: randomRows(7, 2000) }, bomb), 'here');
  assert.ok(isDamage(item));
  assert.equal(item.damage, 'corrupt');
  assert.match(item.because, /cannot be decompressed/);
});

test('a frame that the format cannot hold is refused by the encoder', () => {
  const rows = randomRows(8, 3);
  assert.throws(() => encodeFrame({ origin, firstSeq: -1, rows }), RangeError);
  assert.throws(() => encodeFrame({ origin, firstSeq: 2 ** 53, rows }), RangeError);
  assert.throws(() => encodeFrame({ origin: { ...origin, machine: -1 }, firstSeq: 0, rows }), RangeError);
  assert.throws(() => encodeFrame({ origin: { ...origin, run: 'x'.repeat(70_000) }, firstSeq: 0, rows }), /metadata/);
  assert.throws(() => encodeFrame({ origin, firstSeq: 0, rows: randomRows(1, MAX_FRAME_ROWS + 1) }), /rows/);
});

test('columns that the reader leaves out hold zeros, and all others what was written', () => {
  const frame = { origin, firstSeq: 0, rows: randomRows(11, 5000) };
  for (const [rows, without] of [
    [frame.rows, ['walk']],
    [sliceRows(frame.rows, 0, 10), ['ipa', 'level']],
    [frame.rows, ['at']],
  ] as const) {
    const blank = copyRows(rows);
    for (const name of without) blank[name].fill(0);
    const decoded = decodeFrame(encodeFrame({ ...frame, rows }), 'here', { without });
    assertSameFrame(decoded, { ...frame, rows: blank });
    if (!isDamage(decoded)) releaseFrame(decoded);
  }
});

test('a released frame has given its memory back; a frame that was never encoded keeps its own, and so does what was stored as it is', () => {
  const frame = { origin, firstSeq: 0, rows: randomRows(9, MAX_FRAME_ROWS) };
  const decoded = decodeFrame(encodeFrame(frame), 'here');
  assert.ok(!isDamage(decoded));
  releaseFrame(decoded);
  assert.equal(decoded.rows.kind.length, 0);
  releaseFrame(decoded);
  releaseFrame(frame);
  assert.equal(frame.rows.at.length, 2 * MAX_FRAME_ROWS);

  const message = encodeFrame({ origin, firstSeq: 0, rows: randomRows(10, 3) });
  const small = decodeFrame(message, 'here');
  assert.ok(!isDamage(small));
  releaseFrame(small);
  assert.equal(small.rows.at.length, 6);
});
