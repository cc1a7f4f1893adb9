import { test } from 'node:test';
import assert from 'node:assert/strict';
import { KafkaTransportError } from './kafka-client.ts';
import type { FrameMessage } from './messages.ts';
import { BATCH_BYTES } from './messages.ts';
import { PartitionLane } from './partition-lane.ts';

const message = (name: string, bytes = 10): FrameMessage => ({ key: name, value: Buffer.alloc(bytes), partition: 0, headers: {} });

/** A lane whose sends are answered by hand. */
function handLane(): { lane: PartitionLane; sent: string[]; answer: (cause?: Error) => Promise<void> } {
  const sent: string[] = [];
  const open: { resolve: () => void; reject: (cause: Error) => void }[] = [];
  const lane = new PartitionLane((messages) => {
    sent.push(messages.map(({ key }) => key).join(''));
    return new Promise((resolve, reject) => open.push({ resolve, reject }));
  });
  const answer = async (cause?: Error): Promise<void> => {
    const { resolve, reject } = open.shift()!;
    if (cause === undefined) resolve();
    else reject(cause);
    await new Promise((done) => setImmediate(done));
  };
  return { lane, sent, answer };
}

test('one batch is in flight, and what came meanwhile travels together in the next', async () => {
  const { lane, sent, answer } = handLane();
  const first = lane.push([message('a')]);
  await new Promise((done) => setImmediate(done));
  const later = Promise.all([lane.push([message('b')]), lane.push([message('c')])]);
  assert.deepEqual(sent, ['a']);
  await answer();
  await first;
  assert.deepEqual(sent, ['a', 'bc']);
  await answer();
  await later;
});

test('a batch holds no more bytes than a broker takes', async () => {
  const { lane, sent, answer } = handLane();
  const third = Math.floor(BATCH_BYTES / 3);
  const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => lane.push([message(name, third)])));
  await new Promise((done) => setImmediate(done));
  await answer();
  await answer();
  await all;
  assert.deepEqual(sent, ['abc', 'd']);
});

test('a frame in parts resolves when its last part is acknowledged', async () => {
  const { lane, sent, answer } = handLane();
  let resolved = false;
  const whole = lane.push([message('a', BATCH_BYTES), message('b', BATCH_BYTES)]).then(() => (resolved = true));
  await new Promise((done) => setImmediate(done));
  await answer();
  assert.deepEqual([sent, resolved], [['a', 'b'], false]);
  await answer();
  await whole;
});

test('after a refusal nothing later is sent, and every write hears the reason', async () => {
  const { lane, sent, answer } = handLane();
  const refused = new KafkaTransportError('refused');
  const writes = [lane.push([message('a', BATCH_BYTES)]), lane.push([message('b')])];
  await new Promise((done) => setImmediate(done));
  const heard = Promise.all(writes.map((write) => assert.rejects(write, refused)));
  await answer(refused);
  await heard;
  await assert.rejects(lane.push([message('c')]), refused);
  assert.deepEqual(sent, ['a']);
});
