import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventInput, Frame } from '@s2lab/events';
import { EventColumns, encodeEvent } from '@s2lab/events';
import { metricOf, requireCapability, startKafkaBroker, until } from '@s2lab/testkit';
import { createTopics, KafkaSink } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import { VIOLATIONS_TOPIC } from './report-topics.ts';
import { startVerifierService } from './verifier-service.ts';

const FRAMES_EACH = 30;

function frame(machine: number, firstSeq: number, events: readonly EventInput[]): Frame {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  return { origin: { run: 'lag', machine, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq, rows };
}

const FREED_TWICE: readonly EventInput[] = [
  { kind: 'machine-started', vcpus: 1, pageShift: 12 },
  { kind: 'table-allocated', table: 3, level: 3 },
  { kind: 'table-freed', table: 3, level: 3 },
  { kind: 'table-freed', table: 3, level: 3 },
];

test('the lag of a verifier that is held back is what was produced meanwhile, and 0 again when it has caught up', async (t) => {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return;
  const broker = await startKafkaBroker({ jars, java });
  const setting = { brokers: [broker.address], clientId: 'spec', topic: 'lag.events', partitions: 2 };
  const admin = new Kafka({ brokers: setting.brokers, clientId: 'spec', logLevel: logLevel.NOTHING }).admin();
  const stop = new AbortController();
  const lines: string[] = [];
  await createTopics(setting, [setting]);
  const settings = {
    S2LAB_KAFKA_BROKERS: broker.address,
    S2LAB_TOPIC: setting.topic,
    S2LAB_GROUP: 'g',
    S2LAB_REPLICAS: 1,
    S2LAB_CHECKPOINTS: 'none',
    S2LAB_CHECKPOINT_SECONDS: 3600,
    S2LAB_HTTP_HOST: '127.0.0.1',
    S2LAB_HTTP_PORT: 0,
  };
  const service = await startVerifierService(settings, stop.signal, (line) => lines.push(line));
  const metric = async (name: string): Promise<number> => metricOf(`http://127.0.0.1:${service.http.port}`, `s2lab_verifier_${name}`);
  try {
    await until('it has both partitions', async () => (await metric('partitions')) === 2);
    await admin.connect();
    await admin.deleteTopics({ topics: [VIOLATIONS_TOPIC] });
    await until('the topic of violations is gone', async () => !(await admin.listTopics()).includes(VIOLATIONS_TOPIC));
    const sink = new KafkaSink(setting);
    await sink.write(frame(0, 0, FREED_TWICE));
    await until('it has a violation that it cannot report', () => lines.some((line) => line.startsWith('violation')));

    for (let i = 0; i < FRAMES_EACH; i += 1) {
      await sink.write(frame(0, FREED_TWICE.length + i, [{ kind: 'isb-completed' }]));
      await sink.write(frame(1, i, [i === 0 ? FREED_TWICE[0]! : { kind: 'isb-completed' }]));
    }
    await sink.close();
    await until('its lag is what it did not read, in both partitions', async () => (await metric('lag_frames')) === 2 * FRAMES_EACH);
    assert.equal(await metric('frames_total'), 1, 'it waits until the violation is reported');

    await createTopics(setting, [{ topic: VIOLATIONS_TOPIC, partitions: 1 }]);
    await until('it has caught up', async () => (await metric('lag_frames')) === 0);
    assert.equal(await metric('frames_total'), 1 + 2 * FRAMES_EACH);
    assert.equal(await metric('events_total'), FREED_TWICE.length + 2 * FRAMES_EACH);
  } finally {
    await createTopics(setting, [{ topic: VIOLATIONS_TOPIC, partitions: 1 }]); // without it the verifier does not end
    stop.abort();
    await service.ended;
    await admin.disconnect();
    await broker.stop();
  }
});
