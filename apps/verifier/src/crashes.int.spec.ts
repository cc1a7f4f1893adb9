import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { sliceRows } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import type { KafkaBroker } from '@s2lab/testkit';
import { MUTANTS, requireCapability, startKafkaBroker } from '@s2lab/testkit';
import { createTopics, KafkaSink } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { PartitionsVerdict } from './partition-judges.ts';

const PARTITIONS = 3;
const MAIN = join(import.meta.dirname, 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 's2lab-crashes-'));
const started: ChildProcess[] = [];

let shared: Promise<KafkaBroker> | undefined;
after(async () => {
  for (const child of started) child.kill('SIGKILL');
  await (await shared)?.stop();
  rmSync(folder, { recursive: true });
});

async function sharedBroker(t: TestContext): Promise<KafkaBroker | undefined> {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return undefined;
  shared ??= startKafkaBroker({ java, jars });
  return shared;
}

/** A verifier service in a process of its own. */
class Service {
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private port = 0;

  constructor(env: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, S2LAB_HTTP_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(this.child);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) {
        this.lines.push(line);
        const port = /listening on port (\d+)/.exec(line)?.[1];
        if (port !== undefined) this.port = Number(port);
      }
    });
  }

  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  async verdict(): Promise<PartitionsVerdict | undefined> {
    if (this.port === 0) return undefined;
    try {
      return (await (await fetch(`http://127.0.0.1:${this.port}/api/verdict`)).json()) as PartitionsVerdict;
    } catch {
      return undefined;
    }
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}

/** What all verifiers together say: the sums over their partitions, once each partition has one owner. */
async function together(
  services: readonly Service[],
): Promise<{ events: number; violations: Record<string, number>; stopped: number } | undefined> {
  const verdicts = await Promise.all(services.map((service) => service.verdict()));
  const owned = verdicts.flatMap((verdict) => verdict?.partitions ?? []);
  if (owned.length !== PARTITIONS || new Set(owned).size !== PARTITIONS) return undefined;
  const violations: Record<string, number> = {};
  let events = 0;
  let stopped = 0;
  for (const verdict of verdicts) {
    events += verdict!.events;
    stopped += verdict!.machines.stopped;
    for (const [id, count] of Object.entries(verdict!.violations)) violations[id] = (violations[id] ?? 0) + count;
  }
  return { events, violations, stopped };
}

async function until<T>(what: string, get: () => Promise<T | undefined>, is: (value: T) => boolean, tries = 900): Promise<T> {
  let last: T | undefined;
  for (let n = 0; n < tries; n += 1) {
    last = await get();
    if (last !== undefined && is(last)) return last;
    await setTimeout(100);
  }
  throw new Error(`${what}: still ${JSON.stringify(last)}`);
}

/**
 * Frames of many machines, each the log of a mutant, in small pieces: the pieces of machine 0 first and second, one of machine 1 missing,
 * some of every third machine twice.
 */
function hardLog(pieces: number): Frame[] {
  const logs = MUTANTS.map(({ frames }) => frames()).filter((frames) => frames.length === 1 && frames[0]!.firstSeq === 0);
  const all: Frame[][] = logs.map(([log], machine) => {
    const rows = log!.rows;
    const size = Math.max(1, Math.ceil(rows.length / pieces));
    const cut: Frame[] = [];
    for (let from = 0; from < rows.length; from += size) {
      const frame = {
        origin: { ...log!.origin, run: 'hard', machine },
        firstSeq: from,
        rows: sliceRows(rows, from, Math.min(rows.length, from + size)),
      };
      if (machine === 1 && from === 2 * size) continue;
      cut.push(frame);
      if (machine % 3 === 0 && from % 2 === 0) cut.push(frame);
    }
    return cut;
  });
  return Array.from({ length: 2 * pieces }, (_, n) => all.flatMap((frames) => frames.slice(n, n + 1))).flat();
}

/** The uninterrupted judgement of the frames, as of a file. */
function uninterrupted(frames: readonly Frame[]): { events: number; violations: Record<string, number> } {
  const verifier = new Verifier({ maxViolations: 0 });
  for (const frame of frames) verifier.fold(frame);
  const { events, counts } = verifier.finish();
  return { events, violations: { ...counts } };
}

test('verifiers killed, a broker killed, rebalances, duplicated, missing and poisoned frames: verdict and counts are those of a file', async (t) => {
  const broker = await sharedBroker(t);
  if (broker === undefined) return;
  const topic = 'crashes.events';
  const env = { S2LAB_KAFKA_BROKERS: broker.address, S2LAB_TOPIC: topic, S2LAB_GROUP: 'crashes', S2LAB_CHECKPOINT_SECONDS: '0.3' };
  const setting = { brokers: [broker.address], clientId: 'spec', topic, partitions: PARTITIONS };
  await createTopics(setting, [setting]);
  const frames = hardLog(8);
  const expected = uninterrupted(frames);
  const sink = new KafkaSink(setting);
  const part = (n: number): readonly Frame[] =>
    frames.slice(Math.floor((frames.length * n) / 5), Math.floor((frames.length * (n + 1)) / 5));
  const writePart = async (n: number): Promise<void> => {
    for (const frame of part(n)) await sink.write(frame);
  };
  const first = new Service(env);
  await writePart(0);
  await until(
    'the first verifier',
    () => together([first]),
    ({ events }) => events > 0,
  );
  await until(
    'its first checkpoint',
    async () => first.metric('s2lab_verifier_checkpoints_total'),
    (n) => n > 0,
  );
  await writePart(1);
  await first.kill9();

  const second = new Service(env);
  const third = new Service(env);
  await writePart(2);
  const raw = new Kafka({ brokers: [broker.address], clientId: 'poison', logLevel: logLevel.NOTHING }).producer();
  await raw.connect();
  await raw.send({ topic, messages: [0, 1, 2].map((partition) => ({ partition, key: '0', value: 'poison' })) });
  await raw.disconnect();
  const shareOfThird = await until(
    'a share for both',
    async () => third.verdict(),
    ({ partitions, events }) => partitions.length > 0 && events > 0,
  );
  assert.ok(shareOfThird.partitions.length < PARTITIONS);
  await until(
    'a checkpoint of the third',
    async () => third.metric('s2lab_verifier_checkpoints_total'),
    (n) => n > 0,
  );

  const writing = writePart(3);
  await broker.kill9();
  await setTimeout(500);
  await broker.restart();
  await writing;
  await third.kill9();
  await writePart(4);
  await sink.close();
  await until(
    'all events',
    () => together([second]),
    ({ events }) => events === expected.events,
  );
  const found = await together([second]);
  assert.deepEqual(found?.violations, expected.violations);
  assert.ok((await second.metric('s2lab_verifier_restarts')) > 0, 'partitions were taken up from checkpoints');
  assert.ok(
    second.lines.some((line) => /partition \d is taken up from its checkpoint at offset [1-9]/.test(line)),
    second.lines.join('\n'),
  );
  await second.kill9();
});

test('with checkpoints in an SQLite file, a verifier killed and started anew goes on and does not read again', async (t) => {
  const broker = await sharedBroker(t);
  if (broker === undefined) return;
  const topic = 'sqlite.events';
  const file = join(folder, 'checkpoints.sqlite');
  const env = {
    S2LAB_KAFKA_BROKERS: broker.address,
    S2LAB_TOPIC: topic,
    S2LAB_GROUP: 'sqlite',
    S2LAB_CHECKPOINTS: file,
    S2LAB_CHECKPOINT_SECONDS: '0.2',
  };
  const setting = { brokers: [broker.address], clientId: 'spec', topic, partitions: PARTITIONS };
  await createTopics(setting, [setting]);
  const frames = hardLog(6);
  const half = frames.length >> 1;
  const sink = new KafkaSink(setting);
  for (const frame of frames.slice(0, half)) await sink.write(frame);
  const first = new Service(env);
  const { events } = uninterrupted(frames.slice(0, half));
  await until(
    'the first half',
    () => together([first]),
    (all) => all.events === events,
  );
  await until(
    'a checkpoint of all',
    async () => first.metric('s2lab_verifier_checkpoint_age_seconds'),
    (age) => age === 0,
  );
  await first.kill9();
  for (const frame of frames.slice(half)) await sink.write(frame);
  await sink.close();
  const second = new Service(env);
  const expected = uninterrupted(frames);
  const all = await until(
    'the rest',
    () => together([second]),
    (found) => found.events === expected.events,
  );
  assert.deepEqual(all.violations, expected.violations);
  const judged = await second.metric('s2lab_verifier_events_total');
  assert.ok(judged < expected.events, `${judged} of ${expected.events} events were judged by the second verifier`);
  await second.kill9();
});
