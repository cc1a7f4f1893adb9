import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { copyRows, FRAME_ROWS, isDamage } from '@s2lab/events';
import { decodeFrame } from '@s2lab/frame';
import { assertSameStream, randomRows } from '@s2lab/testkit';
import { BATCH_BYTES, frameMessages } from './messages.ts';

const origin = { run: 'r', machine: 13, policy: 'rcu', machineKind: 'kvm', workload: 'boot' };

test('a frame becomes a message keyed by its machine, with its run and sequence numbers in the headers', () => {
  const [message, ...more] = frameMessages({ origin, firstSeq: 500, rows: randomRows(1, 20) }, 4);
  assert.deepEqual(more, []);
  assert.equal(message?.key, '13');
  assert.equal(message.partition, 1);
  assert.deepEqual(message.headers, { run: 'r', first_seq: '500', count: '20', schema_version: '1' });
});

test('a frame too large for a broker is split by rows, in order and without a hole', () => {
  const frame: Frame = { origin, firstSeq: 7, rows: randomRows(2, FRAME_ROWS) };
  const messages = frameMessages(frame, 4);
  assert.ok(messages.length > 1);
  const parts = messages.map(({ value }) => {
    assert.ok(value.byteLength <= BATCH_BYTES);
    const part = decodeFrame(value, 'here');
    if (isDamage(part)) assert.fail(part.because);
    return { ...part, rows: copyRows(part.rows) };
  });
  assertSameStream(parts, [frame]);
});
