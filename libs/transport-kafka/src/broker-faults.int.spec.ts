import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { copyRows, isDamage, SequenceGuard } from '@s2lab/events';
import { assertSameStream, interleavedFrames, type KafkaBroker, requireCapability, startKafkaBroker } from '@s2lab/testkit';
import { createTopics, KafkaSink, KafkaSource, KafkaTransportError } from './index.ts';

const MACHINES = 4;

/** Calls `each` with the first `headBytes` of every message of a Kafka connection's one direction: length, then content. */
function watchMessages(headBytes: number, each: (head: Buffer) => void): (chunk: Buffer) => void {
  let head = Buffer.alloc(0);
  let skip = 0;
  return (chunk) => {
    let rest = chunk;
    while (rest.byteLength > 0) {
      const skipped = Math.min(skip, rest.byteLength);
      skip -= skipped;
      rest = rest.subarray(skipped);
      const wanted = headBytes - head.byteLength;
      head = Buffer.concat([head, rest.subarray(0, wanted)]);
      rest = rest.subarray(wanted);
      if (head.byteLength < headBytes) return;
      each(head);
      skip = 4 + head.readInt32BE(0) - headBytes;
      head = Buffer.alloc(0);
    }
  };
}

const PRODUCE = 0;

/** A TCP proxy in front of a broker that can lose the broker's answers to produce requests: the broker has written, the client never hears. */
class AnswerLosingProxy {
  answersToLose = 0;
  answersLost = 0;
  brokerPort = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((client) => this.carry(client));

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private carry(client: Socket): void {
    const broker = connect(this.brokerPort, '127.0.0.1');
    const cut = (): void => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      this.sockets.add(socket);
      socket.on('error', cut).on('close', () => {
        this.sockets.delete(socket);
        cut();
      });
    }
    const produces = new Set<number>();
    const watchRequests = watchMessages(12, (head) => {
      if (head.readInt16BE(4) === PRODUCE) produces.add(head.readInt32BE(8));
    });
    let lose = false;
    const watchAnswers = watchMessages(8, (head) => {
      if (!produces.delete(head.readInt32BE(4)) || this.answersToLose === 0) return;
      this.answersToLose -= 1;
      this.answersLost += 1;
      lose = true;
    });
    client.on('data', (chunk: Buffer) => {
      watchRequests(chunk);
      broker.write(chunk);
    });
    broker.on('data', (chunk: Buffer) => {
      watchAnswers(chunk);
      if (lose) cut();
      else client.write(chunk);
    });
  }
}

interface Setup {
  readonly broker: KafkaBroker;
  readonly proxy: AnswerLosingProxy;
}

let shared: Promise<Setup> | undefined;
after(async () => {
  const setup = await shared;
  setup?.proxy.close();
  await setup?.broker.stop();
});

/** One broker for these tests, which says that its address is the proxy's; undefined when the test was skipped. */
async function sharedSetup(t: TestContext): Promise<Setup | undefined> {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return undefined;
  shared ??= (async () => {
    const proxy = new AnswerLosingProxy();
    const properties = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${await proxy.listen()}` };
    const broker = await startKafkaBroker({ java, jars, properties });
    proxy.brokerPort = broker.port;
    return { broker, proxy };
  })();
  return shared;
}

function newSetting({ broker }: Setup): { brokers: string[]; clientId: string; topic: string; partitions: number } {
  return { brokers: [broker.address], clientId: 'faults', topic: `events-${randomUUID()}`, partitions: 3 };
}

/** Writes the frames of each machine one after the other, machines at the same time, as a fleet does. */
async function writeAll(sink: KafkaSink, frames: readonly Frame[], onWritten: (count: number) => void): Promise<void> {
  let written = 0;
  await Promise.all(
    Array.from({ length: MACHINES }, async (_, machine) => {
      for (const frame of frames.filter(({ origin }) => origin.machine === machine)) {
        await sink.write(frame);
        onWritten((written += 1));
      }
    }),
  );
}

/** What a reader with a sequence guard sees in the topic, and how many events it dropped as seen before. */
async function readGuarded(setting: {
  brokers: string[];
  clientId: string;
  topic: string;
}): Promise<{ frames: Frame[]; duplicates: number }> {
  const guard = new SequenceGuard();
  const frames: Frame[] = [];
  let duplicates = 0;
  const source = await KafkaSource.open({ ...setting, until: 'end', patienceMs: 30_000 });
  for await (const item of source.frames()) {
    if (isDamage(item)) assert.fail(`${item.where}: ${item.because}`);
    const admission = guard.admit(item);
    assert.equal(admission.gap, undefined);
    duplicates += admission.duplicates;
    if (admission.frame !== undefined) frames.push({ ...admission.frame, rows: copyRows(admission.frame.rows) });
  }
  await source.close();
  return { frames, duplicates };
}

test('a broker killed twice in the midst of a run loses nothing: the reader sees every event once, and the stalls were told', async (t) => {
  const setup = await sharedSetup(t);
  if (setup === undefined) return;
  const setting = newSetting(setup);
  await createTopics(setting, [setting]);
  const frames = interleavedFrames(MACHINES, 150, 120);
  const stalls: (string | undefined)[] = [];
  const sink = new KafkaSink({ ...setting, stallAfterMs: 500, onStall: (because) => stalls.push(because) });
  let crash = Promise.resolve();
  await writeAll(sink, frames, (count) => {
    if (count !== 150 && count !== 400) return;
    crash = crash.then(async () => {
      await setup.broker.kill9();
      await delay(800);
      await setup.broker.restart();
    });
  });
  await crash;
  await sink.close();
  const { frames: read, duplicates } = await readGuarded(setting);
  assertSameStream(read, frames);
  assert.ok(stalls.length >= 4 && stalls.length % 2 === 0, `stalls told: ${JSON.stringify(stalls)}`);
  stalls.forEach((because, i) => assert.equal(because === undefined, i % 2 === 1, 'a stall and its end alternate'));
  t.diagnostic(`${frames.length} frames, ${duplicates} duplicate events dropped`);
});

test('answers lost after the broker wrote make duplicates, and the reader sees every event once', async (t) => {
  const setup = await sharedSetup(t);
  if (setup === undefined) return;
  const setting = newSetting(setup);
  await createTopics(setting, [setting]);
  const frames = interleavedFrames(MACHINES, 60, 50);
  const sink = new KafkaSink(setting);
  const lostBefore = setup.proxy.answersLost;
  await writeAll(sink, frames, (count) => {
    if (count % 12 === 0) setup.proxy.answersToLose = 1;
  });
  setup.proxy.answersToLose = 0;
  await sink.close();
  const lost = setup.proxy.answersLost - lostBefore;
  const { frames: read, duplicates } = await readGuarded(setting);
  assertSameStream(read, frames);
  assert.ok(lost >= 10, `${lost} answers were lost`);
  assert.ok(duplicates > 0, 'lost answers make duplicates, or this test shows nothing');
  t.diagnostic(`${lost} answers lost, ${duplicates} duplicate events dropped`);
});

test('a sink whose broker is not up yet waits, says so, and goes on when it is', async (t) => {
  const setup = await sharedSetup(t);
  if (setup === undefined) return;
  const setting = newSetting(setup);
  await setup.broker.kill9();
  const stalls: (string | undefined)[] = [];
  const sink = new KafkaSink({ ...setting, stallAfterMs: 200, onStall: (because) => stalls.push(because) });
  const frames = interleavedFrames(MACHINES, 2, 20);
  const writing = writeAll(sink, frames, () => {});
  await delay(600);
  assert.equal(sink.pendingCount, MACHINES, 'each machine waits for its first write');
  await setup.broker.restart();
  await writing;
  await sink.close();
  assert.equal(stalls.length, 2);
  assert.match(String(stalls[0]), /ECONNREFUSED|not connected|onnection/);
  assertSameStream((await readGuarded(setting)).frames, frames);
});

test('closing a sink whose broker is gone rejects what was not acknowledged, and ends', async (t) => {
  const setup = await sharedSetup(t);
  if (setup === undefined) return;
  const setting = newSetting(setup);
  await createTopics(setting, [setting]);
  const sink = new KafkaSink({ ...setting, drainMs: 300 });
  const frames = interleavedFrames(1, 2, 20);
  await sink.write(frames[0]!);
  await setup.broker.kill9();
  const refused = assert.rejects(
    sink.write(frames[1]!),
    (error: Error) => error instanceof KafkaTransportError && /closed before the broker acknowledged everything/.test(error.message),
  );
  await sink.close();
  await refused;
  await setup.broker.restart();
  assertSameStream((await readGuarded(setting)).frames, frames.slice(0, 1));
});

test('a live reader goes on after its broker was killed and came back', async (t) => {
  const setup = await sharedSetup(t);
  if (setup === undefined) return;
  const setting = newSetting(setup);
  await createTopics(setting, [setting]);
  const frames = interleavedFrames(MACHINES, 20, 30);
  const source = await KafkaSource.open({ ...setting, groupId: randomUUID(), until: 'closed' });
  const guard = new SequenceGuard();
  const read: Frame[] = [];
  const sink = new KafkaSink(setting);
  let crash = Promise.resolve();
  const writing = writeAll(sink, frames, (count) => {
    if (count === 30) crash = setup.broker.kill9().then(() => setup.broker.restart());
  });
  for await (const item of source.frames()) {
    if (isDamage(item)) assert.fail(item.because);
    const { frame, gap } = guard.admit(item);
    assert.equal(gap, undefined);
    if (frame !== undefined) read.push({ ...frame, rows: copyRows(frame.rows) });
    if (read.reduce((sum, { rows }) => sum + rows.length, 0) === frames.reduce((sum, { rows }) => sum + rows.length, 0)) break;
  }
  await Promise.all([writing, crash]);
  assertSameStream(read, frames);
  await Promise.all([source.close(), sink.close()]);
});
