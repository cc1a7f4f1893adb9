import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDamage } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { requireCapability, startKafkaBroker } from '@s2lab/testkit';
import { KafkaSource } from '@s2lab/transport-kafka';
import { startFleetService } from './fleet-service.ts';
import type { FleetSettings } from './service-settings.ts';

const TOPIC = 'fleet.events';

const SETTINGS: FleetSettings = {
  S2LAB_KAFKA_BROKERS: '',
  S2LAB_TOPIC: TOPIC,
  S2LAB_PARTITIONS: 4,
  S2LAB_REPLICAS: 1,
  S2LAB_SCENARIO: 'demo',
  S2LAB_SPEED: 0.001,
  S2LAB_SEED: 3,
  S2LAB_MACHINE_BASE: 0,
  S2LAB_HTTP_HOST: '127.0.0.1',
  S2LAB_HTTP_PORT: 0,
};

/** Looks every 100 ms until `condition` holds, for at most two minutes. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (await condition()) return;
    await setTimeout(100);
  }
  assert.fail(`never: ${what}`);
}

test('the fleet waits for a killed broker, goes on when it is back, and loses nothing', async (t) => {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  if (java === undefined || jars === undefined) return;
  const broker = await startKafkaBroker({ jars, java });
  const stop = new AbortController();
  const lines: string[] = [];
  const settings = { ...SETTINGS, S2LAB_KAFKA_BROKERS: broker.address };
  const service = await startFleetService(settings, stop.signal, (line) => lines.push(line));
  const get = async (path: string): Promise<Response> => fetch(`http://127.0.0.1:${service.http.port}${path}`);
  const written = async (): Promise<number> =>
    Number(/^s2lab_pipeline_frames_total\{sink="kafka"\} (\d+)$/m.exec(await (await get('/metrics')).text())?.[1] ?? 0);
  try {
    await until('frames are written', async () => (await written()) > 20);
    assert.equal((await get('/healthz')).status, 200);
    const state = (await (await get('/api/state')).json()) as { run: string; machines: number; fleet: unknown[] };
    assert.equal(state.machines, 4);
    assert.match(state.run, /^demo-3-[0-9a-f]{12}$/);

    await broker.kill9();
    await until('the fleet says that it waits', async () => (await get('/healthz')).status === 503);
    assert.match(await (await get('/metrics')).text(), /^s2lab_pipeline_broker_reachable 0$/m);
    await broker.restart();
    await until('the fleet goes on', async () => (await get('/healthz')).status === 200);
    const before = await written();
    await until('frames are written again', async () => (await written()) > before + 20);
  } finally {
    stop.abort();
    await service.ended;
  }
  const verifier = new Verifier();
  const source = await KafkaSource.open({ brokers: [broker.address], clientId: 'spec', topic: TOPIC, until: 'end' });
  for await (const item of source.frames()) {
    if (isDamage(item)) assert.fail(item.because);
    verifier.fold(item);
  }
  await source.close();
  await broker.stop();
  const verdict = verifier.finish();
  assert.equal(verdict.verdict, 'holds', JSON.stringify(verdict.violations[0]));
  assert.deepEqual(verdict.gaps, []);
  assert.ok(verdict.machines.length === 4 && verdict.machines.every(({ stopped }) => stopped), 'each machine said that it was stopped');
  assert.ok(
    lines.some((line) => line.includes('the simulation waits')),
    lines.join('\n'),
  );
});

test('a fleet whose broker never answers says so, and a stop ends it with the reason', async () => {
  const stop = new AbortController();
  const service = await startFleetService({ ...SETTINGS, S2LAB_KAFKA_BROKERS: '127.0.0.1:1' }, stop.signal, () => {});
  await until('the fleet says that it waits', async () => (await fetch(`http://127.0.0.1:${service.http.port}/healthz`)).status === 503);
  stop.abort();
  await assert.rejects(service.ended, /closed before the broker acknowledged everything/);
});
