// Needs what `npm run provision` finds: a JRE and Kafka's jars.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { capability, startKafkaBroker, syntheticRows } from '@s2lab/testkit';
import { createTopics, KafkaSink, KafkaSource } from '@s2lab/transport-kafka';
import { AcknowledgedProducer } from '../src/acknowledged-producer.ts';
import { frameMessages } from '../src/messages.ts';

const PARTITIONS = 8;
const MACHINES = 8;
const FRAMES = 1200;
/** Frames that each machine has on their way at once: a fleet that runs ahead of its acknowledgements. */
const AHEAD = 8;
const ROUNDS = 3;

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >>> 1]!;

function pathOf(name: 'java' | 'kafka'): string {
  const found = capability(name);
  if (!found.available) throw new Error(`the Kafka benchmark needs ${name}: ${found.reason}`);
  return found.path;
}

const java = pathOf('java');
const jars = pathOf('kafka');
const rows = [1, 2, 3, 4].map((seed) => syntheticRows(seed));
const frameOf = (machine: number, i: number): Frame => ({
  origin: { run: 'bench', machine, policy: 'rcu', machineKind: 'kvm', workload: 'migration' },
  firstSeq: i * rows[0]!.length,
  rows: rows[i % rows.length]!,
});

/** Calls `write` for `total` frames spread over the machines, AHEAD of them in flight each. */
async function inParallel(total: number, write: (machine: number, i: number) => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: MACHINES }, async (_, machine) => {
      const flying: Promise<void>[] = [];
      for (let i = 0; i < total / MACHINES; i += 1) {
        flying.push(write(machine, i));
        if (flying.length >= AHEAD) await flying.shift();
      }
      await Promise.all(flying);
    }),
  );
}

const broker = await startKafkaBroker({ java, jars });
const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
try {
  const connection = { brokers: [broker.address], clientId: 'bench', partitions: PARTITIONS };
  const messages = rows.map((_, i) => Array.from({ length: MACHINES }, (__, machine) => frameMessages(frameOf(machine, i), PARTITIONS)));
  const frameBytes = Math.round(messages.flat(2).reduce((sum, { value }) => sum + value.byteLength, 0) / (rows.length * MACHINES));
  const payload = join(folder, 'payload');
  await writeFile(payload, 'x'.repeat(frameBytes));

  const perfToolOnce = async (round: number): Promise<number> => {
    const topic = { ...connection, topic: `perf-${round}` };
    await createTopics(topic, [topic]);
    const tool = spawnSync(
      java,
      [
        '-Xmx512m',
        '-cp',
        join(jars, '*'),
        'org.apache.kafka.tools.ProducerPerformance',
        '--topic',
        topic.topic,
        '--num-records',
        String(FRAMES),
        '--payload-file',
        payload,
        '--throughput',
        '-1',
        '--producer-props',
        `bootstrap.servers=${broker.address}`,
        'acks=all',
        'batch.size=1000000',
        'linger.ms=5',
      ],
      { encoding: 'utf8' },
    );
    const rate = [...(tool.stdout ?? '').matchAll(/([\d.]+) records\/sec/g)].at(-1)?.[1];
    if (rate === undefined) throw new Error(`ProducerPerformance said no rate: ${tool.stdout}${tool.stderr}`);
    return (Number(rate) * frameBytes) / 1e6;
  };
  const producerOnce = async (round: number): Promise<number> => {
    const producer = new AcknowledgedProducer({ ...connection, topic: `encoded-${round}` });
    await inParallel(MACHINES, (machine, i) => producer.deliver(messages[i]![machine]!)); // Connects, and creates the topic.
    const began = performance.now();
    await inParallel(FRAMES, (machine, i) => producer.deliver(messages[i % rows.length]![machine]!));
    const seconds = (performance.now() - began) / 1000;
    await producer.close();
    return (FRAMES * frameBytes) / 1e6 / seconds;
  };
  const sinkOnce = async (round: number): Promise<number> => {
    const sink = new KafkaSink({ ...connection, topic: `events-${round}` });
    await sink.write(frameOf(0, 0));
    const began = performance.now();
    await inParallel(FRAMES / 8, (machine, i) => sink.write(frameOf(machine, i + 1)));
    const seconds = (performance.now() - began) / 1000;
    await sink.close();
    return ((FRAMES / 8) * rows[0]!.length) / seconds;
  };
  const sourceOnce = async (round: number): Promise<number> => {
    const source = await KafkaSource.open({ ...connection, topic: `events-${round}`, until: 'end' });
    let events = 0;
    let began = 0;
    for await (const item of source.frames()) {
      if (isDamage(item)) throw new Error(item.because);
      if (began === 0)
        began = performance.now(); // Joining the group is not reading.
      else events += item.rows.length;
    }
    const seconds = (performance.now() - began) / 1000;
    await source.close();
    return events / seconds;
  };

  const results: Record<'tool' | 'producer' | 'sink' | 'source', number[]> = { tool: [], producer: [], sink: [], source: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    results.tool.push(await perfToolOnce(round));
    results.producer.push(await producerOnce(round));
    results.sink.push(await sinkOnce(round));
    results.source.push(await sourceOnce(round));
  }
  const tool = median(results.tool);
  const producer = median(results.producer);
  report(`kafka ProducerPerformance, messages of ${frameBytes} bytes`, tool, 'MB/s', 0, 'higher');
  report('kafka encoded frames, the same size', producer, 'MB/s', 0, 'higher');
  report('kafka encoded frames against ProducerPerformance', producer / tool, 'ratio', 0.5, 'higher');
  report('kafka sink, encoding included', median(results.sink), 'events/s', 5e6, 'higher');
  report('kafka source, decoding included', median(results.source), 'events/s', 5e6, 'higher');
} finally {
  await broker.stop();
  await rm(folder, { recursive: true });
}
