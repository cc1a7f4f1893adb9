import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { Kafka, logLevel } from 'kafkajs';
import type { Damage, EventSource, Frame } from '@s2lab/events';
import { copyRows, isDamage } from '@s2lab/events';
import { encodeFrame } from '@s2lab/frame';
import {
  assertSameStream,
  interleavedFrames,
  type KafkaBroker,
  readAll,
  requireCapability,
  startKafkaBroker,
  transportContract,
} from '@s2lab/testkit';
import { createTopics, KafkaSink, KafkaSource, KafkaTransportError } from './index.ts';

let shared: Promise<KafkaBroker> | undefined;
after(async () => (await shared)?.stop());

/** The broker that these tests share; undefined when the test was skipped. */
async function sharedBroker(t: TestContext): Promise<KafkaBroker | undefined> {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return undefined;
  shared ??= startKafkaBroker({ java, jars });
  return shared;
}

interface Setting {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly topic: string;
  readonly partitions: number;
}

async function newTopic(t: TestContext, partitions = 4): Promise<Setting | undefined> {
  const broker = await sharedBroker(t);
  if (broker === undefined) return undefined;
  const setting = { brokers: [broker.address], clientId: 'spec', topic: `events-${randomUUID()}`, partitions };
  await createTopics(setting, [setting]);
  return setting;
}

transportContract('Kafka', async (t) => {
  const setting = await newTopic(t);
  if (setting === undefined) return undefined;
  const sink = new KafkaSink(setting);
  return { sink, source: () => KafkaSource.open({ ...setting, until: 'end' }), discard: () => sink.close() };
});

/** The next `count` items of a live source. */
async function takeItems(source: EventSource, count: number): Promise<(Frame | Damage)[]> {
  const items: (Frame | Damage)[] = [];
  for await (const item of source.frames()) {
    items.push(isDamage(item) ? item : { ...item, rows: copyRows(item.rows) });
    if (items.length === count) break;
  }
  return items;
}

test('a message that is no frame comes as damage with its offset, and the frames around it are read', async (t) => {
  const setting = await newTopic(t, 1);
  if (setting === undefined) return;
  const [first, second] = interleavedFrames(1, 2, 40) as [Frame, Frame];
  const flipped = encodeFrame(second);
  flipped[flipped.byteLength - 9]! ^= 4;
  const sink = new KafkaSink(setting);
  await sink.write(first);
  const raw = new Kafka({ brokers: [...setting.brokers], clientId: 'poison', logLevel: logLevel.NOTHING }).producer();
  await raw.connect();
  await raw.send({
    topic: setting.topic,
    messages: [
      { key: '0', value: 'no frame' },
      { key: '0', value: null },
      { key: '0', value: Buffer.from(flipped) },
      { key: '0', value: Buffer.from(flipped.subarray(0, 900)) },
    ],
  });
  await raw.disconnect();
  await sink.write(second);
  await sink.close();
  const source = await KafkaSource.open({ ...setting, until: 'end' });
  const items: (Frame | Damage)[] = [];
  for await (const item of source.frames()) items.push(isDamage(item) ? item : { ...item, rows: copyRows(item.rows) });
  await source.close();
  assert.equal(items.length, 6);
  assertSameStream([items[0] as Frame, items[5] as Frame], [first, second]);
  items.slice(1, 5).forEach((item, i) => {
    assert.ok(isDamage(item));
    assert.equal(item.damage, 'corrupt');
    assert.equal(item.where, `topic ${setting.topic}, partition 0, offset ${i + 1}`);
  });
});

test('a live source sees what is written after it was opened', async (t) => {
  const setting = await newTopic(t);
  if (setting === undefined) return;
  const frames = interleavedFrames(4, 3, 30);
  const source = await KafkaSource.open({ ...setting, until: 'closed' });
  const taking = takeItems(source, frames.length);
  const sink = new KafkaSink(setting);
  for (const frame of frames) await sink.write(frame);
  assertSameStream((await taking) as Frame[], frames);
  await Promise.all([source.close(), sink.close()]);
});

test('a reader of a group goes on after the offsets that were committed, and what was not committed comes again', async (t) => {
  const setting = await newTopic(t, 1);
  if (setting === undefined) return;
  const frames = interleavedFrames(1, 5, 30);
  const sink = new KafkaSink(setting);
  for (const frame of frames) await sink.write(frame);
  await sink.close();
  const groupId = `group-${randomUUID()}`;
  const first = await KafkaSource.open({ ...setting, groupId, until: 'closed' });
  const iterator = first.frames();
  await iterator.next();
  await iterator.next();
  await first.commit();
  await iterator.next(); // Read, but never committed.
  await first.close();
  const second = await KafkaSource.open({ ...setting, groupId, until: 'end' });
  const rest = await readAll(second);
  assertSameStream(rest, frames.slice(2));
  const anonymous = await KafkaSource.open({ ...setting, until: 'end' });
  await assert.rejects(anonymous.commit(), /without a consumer group/);
  await anonymous.close();
});

test('a topic with another number of partitions than stated is refused in one line', async (t) => {
  const setting = await newTopic(t, 2);
  if (setting === undefined) return;
  const wrong = { ...setting, partitions: 3 };
  const expected = (error: Error): boolean =>
    error instanceof KafkaTransportError &&
    error.message === `topic ${setting.topic} has 2 partitions, not the 3 stated: state 2, or delete the topic`;
  await assert.rejects(createTopics(wrong, [wrong]), expected);
  const sink = new KafkaSink(wrong);
  await assert.rejects(sink.write(interleavedFrames(1, 1, 3)[0]!), expected);
  await sink.close();
});

test('reading a topic that is not there, or from no broker, ends in one line that says so', async (t) => {
  const setting = await newTopic(t);
  if (setting === undefined) return;
  await assert.rejects(
    KafkaSource.open({ ...setting, topic: 'absent', until: 'end', patienceMs: 0 }),
    (error: Error) => error instanceof KafkaTransportError && error.message.startsWith('topic absent on 127'),
  );
  await assert.rejects(
    KafkaSource.open({ ...setting, brokers: ['127.0.0.1:1'], until: 'end', patienceMs: 0 }),
    (error: Error) => error instanceof KafkaTransportError && error.message.endsWith('is the broker up?'),
  );
});

test('a frame that the broker refuses fails its write with the reason', async (t) => {
  const setting = await newTopic(t, 1);
  if (setting === undefined) return;
  const admin = new Kafka({ brokers: [...setting.brokers], clientId: 'limit', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: setting.topic, configEntries: [{ name: 'max.message.bytes', value: '2000' }] }],
  });
  await admin.disconnect();
  const sink = new KafkaSink(setting);
  await assert.rejects(sink.write(interleavedFrames(1, 2, 900)[1]!), /the broker refuses the frame of machine 0 .*MESSAGE_TOO_LARGE/);
  await sink.close();
});
