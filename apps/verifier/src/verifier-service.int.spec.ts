import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { test } from 'node:test';
import type { EventInput, Frame } from '@s2lab/events';
import { EventColumns, encodeEvent, SCHEMA_VERSION } from '@s2lab/events';
import { checksumPlace, encodeFrame, messageChecksum, platformCodec, readPrefix } from '@s2lab/frame';
import { requireCapability, startKafkaBroker } from '@s2lab/testkit';
import { KafkaSink } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaMessage } from 'kafkajs';
import { DEAD_LETTERS_TOPIC, VIOLATIONS_TOPIC } from './report-topics.ts';
import type { TopicVerdict } from './topic-judge.ts';
import { startVerifierService } from './verifier-service.ts';

const TOPIC = 'service.events';
const START: EventInput = { kind: 'machine-started', vcpus: 1, pageShift: 12 };

function frame(run: string, events: readonly EventInput[]): Frame {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  return { origin: { run, machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq: 0, rows };
}

/** Messages that are no frame, and what is wrong with each. */
const POISON: readonly (readonly [because: RegExp, message: Buffer])[] = [
  [/does not begin like an Arrow message/, Buffer.from('this is no frame')],
  [/its checksum is/, altered((message) => (message[message.length - 9]! ^= 4))],
  [/its body should have/, altered(() => {}).subarray(0, -100)],
  [/too few/, altered(() => {}).subarray(0, 5)],
  [/has schema version 9/, altered(otherVersion, true)],
  [/does not begin like an Arrow message/, altered((message) => message.fill(0xff, 4, 7))],
  [/rows|length|size|outside/, altered(absurdRows, true)],
];

/** A whole frame, changed; with `forge`, with the checksum of what it then holds. */
function altered(change: (message: Uint8Array) => unknown, forge = false): Buffer {
  const message = Buffer.from(encodeFrame(frame('poison', [START, { kind: 'isb-completed' }])));
  change(message);
  if (!forge) return message;
  const prefix = readPrefix(message, 0) as { readonly metadataBytes: number };
  const digits = messageChecksum(message, prefix.metadataBytes, platformCodec);
  message.set(Buffer.from(digits), checksumPlace(prefix.metadataBytes));
  return message;
}

function otherVersion(message: Uint8Array): void {
  const text = Buffer.from(message).indexOf(Buffer.from([1, 0, 0, 0, String(SCHEMA_VERSION).charCodeAt(0), 0]));
  message[text + 4] = '9'.charCodeAt(0);
}

/** The number of rows, which the header of the batch has as 64 bits, is beyond all bounds. */
function absurdRows(message: Uint8Array): void {
  const rows = Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]);
  for (let at = Buffer.from(message).indexOf(rows); at >= 0 && at < 1200; at = Buffer.from(message).indexOf(rows, at + 8))
    message.fill(0x7f, at, at + 7);
}

async function readLetters(address: string): Promise<KafkaMessage[]> {
  const consumer = new Kafka({ brokers: [address], clientId: 'letters', logLevel: logLevel.NOTHING }).consumer({ groupId: 'letters' });
  const letters: KafkaMessage[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: DEAD_LETTERS_TOPIC, fromBeginning: true });
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        letters.push(message);
        if (letters.length === POISON.length) resolve();
      },
    });
  });
  await consumer.disconnect();
  return letters;
}

test('the service reports violations and messages that are no frame, in metrics, verdict, log lines and topics', async (t) => {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return;
  const broker = await startKafkaBroker({ jars, java });
  const stop = new AbortController();
  const lines: string[] = [];
  const settings = {
    S2LAB_KAFKA_BROKERS: broker.address,
    S2LAB_TOPIC: TOPIC,
    S2LAB_GROUP: 'g',
    S2LAB_REPLICAS: 1,
    S2LAB_CHECKPOINTS: 'topic',
    S2LAB_CHECKPOINT_SECONDS: 0.5,
    S2LAB_HTTP_HOST: '127.0.0.1',
    S2LAB_HTTP_PORT: 0,
  };
  const service = await startVerifierService(settings, stop.signal, (line) => lines.push(line));
  const get = async (path: string): Promise<Response> => fetch(`http://127.0.0.1:${service.http.port}${path}`);
  try {
    assert.equal((await get('/healthz')).status, 503, 'not healthy without its topic');
    const sink = new KafkaSink({ brokers: [broker.address], clientId: 'spec', topic: TOPIC, partitions: 2 });
    await sink.write(
      frame('good', [
        { kind: 'machine-started', vcpus: 1, pageShift: 12 },
        { kind: 'machine-stopped', cause: 0 },
      ]),
    );
    await sink.write(
      frame('bad', [
        { kind: 'machine-started', vcpus: 1, pageShift: 12 },
        { kind: 'table-allocated', table: 3, level: 3 },
        { kind: 'table-freed', table: 3, level: 3 },
        { kind: 'table-freed', table: 3, level: 3 },
      ]),
    );
    await sink.close();
    const kafka = new Kafka({ brokers: [broker.address], clientId: 'spec', logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    for (const value of POISON.map(([, message]) => message))
      await producer.send({ topic: TOPIC, messages: [{ key: '0', value, partition: 0 }] });
    await producer.disconnect();

    const settled = (): boolean =>
      lines.filter((line) => line.startsWith('no frame')).length === POISON.length && lines.some((line) => line.startsWith('violation'));
    for (let tries = 0; tries < 300 && !settled(); tries += 1) await setTimeout(100);
    assert.ok(settled(), lines.join('\n'));
    const verdict = (await (await get('/api/verdict')).json()) as TopicVerdict;
    assert.equal(verdict.verdict, 'violated');
    assert.equal(verdict.events, 6);
    assert.equal(verdict.machines.stopped, 1);
    assert.equal((await get('/healthz')).status, 200);
    const metrics = await (await get('/metrics')).text();
    assert.match(metrics, /^s2lab_verifier_events_total 6$/m);
    assert.match(metrics, /^s2lab_verifier_dead_letters_total\{damage="corrupt"\} 6$/m);
    assert.match(metrics, /^s2lab_verifier_dead_letters_total\{damage="unsupported"\} 1$/m);
    const letters = await readLetters(broker.address);
    assert.deepEqual(
      letters.map(({ value }) => value),
      POISON.map(([, message]) => message),
      'they are kept as they were sent',
    );
    POISON.forEach(([because], i) => assert.match(String(letters[i]!.headers?.['because']), because));
    letters.forEach(({ headers }, i) =>
      assert.match(String(headers?.['where']), new RegExp(`^topic ${TOPIC}, partition 0, offset ${i + 2}$`)),
    );
    assert.match(metrics, /^s2lab_violations_total\{invariant="I5",policy="rcu"\} 1$/m);
    const admin = kafka.admin();
    await admin.connect();
    for (const topic of [VIOLATIONS_TOPIC, DEAD_LETTERS_TOPIC])
      assert.notEqual((await admin.fetchTopicOffsets(topic))[0]?.high, '0', `${topic} is empty`);
    await admin.disconnect();
    for (const line of lines) assert.doesNotMatch(line, /\n/);
  } finally {
    stop.abort();
    await service.ended;
    await broker.stop();
  }
});
