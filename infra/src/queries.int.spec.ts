import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EventColumns, type EventInput, encodeEvent } from '@s2lab/events';
import { type KafkaBroker, requireCapability, startApp, startKafkaBroker, startPrometheus } from '@s2lab/testkit';
import { KafkaSink } from '@s2lab/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import { parse } from 'yaml';
import { dashboards } from './dashboards.ts';

const DEADLINE_MS = 90_000;
const TOPIC = 'lab.events';
const RULES = fileURLToPath(new URL('../prometheus/rules/s2lab.rules.yml', import.meta.url));

/** Annotations that mark nothing while the broker is there. */
const WITHOUT_BROKER = ['Broker gone'];

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

/** Writes what no fleet writes: a table freed twice, a gap, and a message that is no frame. */
async function injectFaults(broker: KafkaBroker): Promise<void> {
  const freed: EventInput = { kind: 'table-freed', table: 3, level: 3 };
  const events: EventInput[] = [
    { kind: 'machine-started', vcpus: 1, pageShift: 12 },
    { kind: 'table-allocated', table: 3, level: 3 },
    freed,
    freed,
  ];
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  const sink = new KafkaSink({ brokers: [broker.address], clientId: 'spec', topic: TOPIC, partitions: 2 });
  const origin = { run: 'bad', machine: 0, policy: 'broken', machineKind: 'kvm', workload: 'spec' };
  await sink.write({ origin, firstSeq: 0, rows });
  await sink.write({ origin, firstSeq: 100, rows });
  await sink.close();
  const producer = new Kafka({ brokers: [broker.address], clientId: 'spec', logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: TOPIC, messages: [{ key: '0', value: 'this is no frame', partition: 0 }] });
  await producer.disconnect();
}

/** The result of a GET of Prometheus' HTTP API; undefined while it does not listen. */
async function ask(address: string, path: string): Promise<Record<string, unknown[]> | undefined> {
  const response = await fetch(`${address}/api/v1/${path}`).catch(() => undefined);
  if (response === undefined || response.status === 503) return undefined;
  const { status, error, data } = (await response.json()) as { status: string; error?: string; data: Record<string, unknown[]> };
  assert.equal(status, 'success', `${error}: ${path}`);
  return data;
}

/** Asks again and again until each query has given data once. */
async function untilAllGiveData(address: string, queries: readonly string[]): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  let empty = [...new Set(queries)];
  while (empty.length > 0) {
    assert.ok(Date.now() < deadline, `no data within ${DEADLINE_MS / 1000} s from:\n${empty.join('\n')}`);
    await sleep(500);
    const answers = await Promise.all(empty.map((query) => ask(address, `query?query=${encodeURIComponent(query)}`)));
    empty = empty.filter((_, i) => (answers[i]?.['result']?.length ?? 0) === 0);
  }
}

/** A query under the choices with which a dashboard opens. */
function opened(query: string): string {
  return query
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('job="$job"', 'job="fleet"')
    .replaceAll(/"\$\w+"/g, '".+"');
}

function panelQueries(): string[] {
  return Object.values(dashboards())
    .flatMap(({ panels = [] }) => panels.flatMap((panel) => ('targets' in panel ? (panel.targets ?? []) : [])))
    .flatMap((target) => ('expr' in target ? [opened(String(target.expr))] : []));
}

function markQueries(chosen: (name: string) => boolean): string[] {
  return Object.values(dashboards()).flatMap(({ annotations }) =>
    (annotations?.list ?? []).filter(({ name }) => chosen(name)).map(({ expr = '' }) => opened(expr)),
  );
}

test('every query of every panel, mark and rule gives data from a real Prometheus that scrapes a real fleet and verifier', async (t) => {
  const java = requireCapability(t, 'java');
  const jars = requireCapability(t, 'kafka');
  const prometheus = requireCapability(t, 'prometheus');
  if (java === undefined || jars === undefined || prometheus === undefined) return;
  const broker = await startKafkaBroker({ jars, java });
  t.after(() => broker.stop());
  const kafka = { S2LAB_KAFKA_BROKERS: broker.address, S2LAB_TOPIC: TOPIC };
  const fleet = await startApp('fleet', { ...kafka, S2LAB_PARTITIONS: '2', S2LAB_SCENARIO: 'preempted', S2LAB_SPEED: '0.003' });
  t.after(() => fleet.kill9());
  const verifier = await startApp('verifier', kafka);
  t.after(() => verifier.kill9());
  const scraped = await startPrometheus({
    program: prometheus,
    rules: [RULES],
    jobs: { fleet: fleet.address, verifier: verifier.address },
  });
  t.after(() => scraped.stop());
  const { address } = scraped;
  await untilAllGiveData(address, ['s2lab_verifier_events_total > 0']);
  await injectFaults(broker);

  assert.ok(panelQueries().length > 50);
  const recorded = rules.flatMap(({ record }) => (record === undefined ? [] : [record]));
  await untilAllGiveData(address, [...panelQueries(), ...markQueries((name) => !WITHOUT_BROKER.includes(name)), ...recorded]);
  await untilAllGiveData(
    address,
    ['ViolationSeen', 'LogGap', 'DeadLetter'].map((alert) => `ALERTS{alertname="${alert}", alertstate="firing"}`),
  );
  for (const { alert, expr } of rules) assert.notEqual(await ask(address, `query?query=${encodeURIComponent(expr)}`), undefined, alert);

  await broker.kill9();
  await untilAllGiveData(address, [
    ...markQueries((name) => WITHOUT_BROKER.includes(name)),
    'ALERTS{alertname="BrokerUnreachable", alertstate="pending"}',
  ]);
});
