import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, beforeEach, test } from 'node:test';
import { EventMetrics } from '@s2lab/metrics';
import { Validator } from '@seriousme/openapi-schema-validator';
import { fastify } from 'fastify';
import { RunKeeper } from '../control/run-keeper.ts';
import { MetricsSink } from '../metered-sink.ts';
import { loadScenario } from '../scenario-source.ts';
import type { ApiLab } from './api-lab.ts';
import { labApi, openApiDocument } from './lab-api.ts';

const DOCUMENT = new URL('../../../../docs/api/fleet.openapi.json', import.meta.url);

const events = new EventMetrics();
const runs = new RunKeeper({
  loaded: await loadScenario('demo'),
  policy: null,
  seed: 1,
  speed: 0,
  repeat: false,
  nameRun: (derived, _scenario, _seed, number) => `${derived}-${number}`,
});
const lab: ApiLab = { runs, events, output: () => ({ to: 'nowhere', where: '', waitingFor: null }) };
const app = fastify();
await app.register(labApi(lab));
const stop = new AbortController();
const kept = runs.keep({ begin: async () => [new MetricsSink(events)], ended: async () => {} }, stop.signal);
after(async () => {
  stop.abort();
  await kept;
  await app.close();
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(method: 'GET' | 'PATCH', url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await app.inject({
    method,
    url,
    headers: { host: 'localhost:7800', ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

// Each test begins with a demonstration at full speed, wherever the one before ended: with a lab that stands still some would wait for ever.
beforeEach(async () => {
  const { status } = await ask('PATCH', '/api/control', { scenario: 'demo', policy: null, faults: null, speed: 0, paused: false });
  assert.equal(status, 200);
});

test('policy, workload, faults, speed and pause are changed, and the answer says which run obeys', async () => {
  const before = (await ask('GET', '/api/control')).body;
  const faults = [{ kind: 'preempted-walkers', durationNs: 1000, level: 3, oneIn: 50 }];
  const changed = await ask('PATCH', '/api/control', { policy: 'rwlock', scenario: 'migration', faults, speed: 0.01 });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  const { run, startedBy, ...state } = changed.body as { run: string; startedBy: { run: string; began: string } };
  assert.deepEqual(state, { scenario: 'migration', policy: 'rwlock', seed: 1, faults, speed: 0.01, paused: false });
  assert.equal(startedBy.run, before['run']);
  assert.equal(startedBy.began, run);
  assert.deepEqual((await ask('GET', '/api/control')).body, changed.body);

  const paused = await ask('PATCH', '/api/control', { paused: true });
  assert.equal(paused.body['run'], run, 'a pause begins no run');
  assert.equal((await ask('GET', '/api/state')).body['paused'], true);
  const history = (await ask('GET', '/api/control/history')).body['controls'] as { change: unknown }[];
  assert.deepEqual(history.at(-1)?.change, { paused: true });
});

test('what is not understood or does not exist is refused with one line that says where, and changes nothing', async () => {
  const before = (await ask('GET', '/api/control')).body;
  for (const [body, status, line] of [
    [{ polcy: 'rcu' }, 400, /Unrecognized key.*polcy/],
    [{ policy: 'no-such' }, 400, /policy 'no-such' does not exist; there are rcu/],
    [{ scenario: './mine.json' }, 409, /scenario '\.\/mine\.json' does not exist; there are demo/],
    [{ speed: -1 }, 400, /body\/speed/],
    [{ speed: 'fast' }, 400, /body\/speed/],
    [{ seed: 1.5 }, 400, /body\/seed/],
    [{ faults: [{ kind: 'meteorite' }] }, 400, /body\/faults\/0/],
    [[], 400, /body/],
  ] as const) {
    const answer = await ask('PATCH', '/api/control', body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.deepEqual(Object.keys(answer.body), ['error']);
    assert.match(String(answer.body['error']), line);
    assert.doesNotMatch(String(answer.body['error']), /\n/);
  }
  assert.equal((await ask('PATCH', '/api/control', { scenario: 'x'.repeat(20_000) })).status, 413);
  assert.equal((await ask('GET', '/api/no-such')).status, 404);
  assert.deepEqual((await ask('GET', '/api/control')).body, before);
});

test('pages of other sites steer nothing, under whatever name and in whatever form they try', async () => {
  for (const headers of [{ host: 'lab.example.org' }, { origin: 'http://lab.example.org' }, { origin: 'null' }]) {
    const answer = await ask('PATCH', '/api/control', { paused: true }, headers);
    assert.equal(answer.status, 403, JSON.stringify(headers));
  }
  const asText = await app.inject({
    method: 'PATCH',
    url: '/api/control',
    headers: { host: 'localhost:7800', 'content-type': 'text/plain' },
    payload: '{"paused":true}',
  });
  assert.equal(asText.statusCode, 415);
  assert.equal((await ask('GET', '/api/state')).body['paused'], false);
  assert.equal((await ask('PATCH', '/api/control', { paused: false }, { origin: 'http://localhost:7800' })).status, 200);
});

test('the machines with the most of something come first, as many as were asked for', async () => {
  const { run } = runs.run.fleet;
  while (Array.from(events.machines()).filter(({ origin }) => origin.run === run).length < 4)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  const { body } = await ask('GET', '/api/machines?by=events&limit=3');
  const machines = body['machines'] as { run: string; events: number }[];
  assert.equal(body['total'], 4);
  assert.equal(machines.length, 3);
  assert.deepEqual(
    machines,
    machines.toSorted((a, b) => b.events - a.events),
  );
  assert.ok(
    machines.every((machine) => machine.run === run),
    'machines of earlier runs are not listed',
  );
  assert.equal((await ask('GET', '/api/machines')).body['by'], 'pendingFrees');
  for (const wrong of ['limit=0', 'limit=101', 'limit=many', 'by=luck'])
    assert.equal((await ask('GET', `/api/machines?${wrong}`)).status, 400, wrong);
});

test('everything that may be chosen is listed, and each preset of a fault is accepted', async () => {
  const { body } = await ask('GET', '/api/control/options');
  const { policies, scenarios, faults } = body as {
    policies: { name: string }[];
    scenarios: { name: string }[];
    faults: { preset: unknown }[];
  };
  assert.ok(policies.some(({ name }) => name === 'rcu') && scenarios.some(({ name }) => name === 'demo') && faults.length > 0);
  const answer = await ask('PATCH', '/api/control', { faults: faults.map(({ preset }) => preset) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

test('docs/api/fleet.openapi.json is a valid OpenAPI document and the one that the schemas give: else run this file with UPDATE_DOCS=1', async () => {
  const document = await openApiDocument(lab);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCUMENT, `${JSON.stringify(document, null, 2)}\n`);
  assert.deepEqual(JSON.parse(readFileSync(DOCUMENT, 'utf8')), document);
  const { valid, errors } = await new Validator().validate(structuredClone(document) as Record<string, unknown>);
  assert.ok(valid, JSON.stringify(errors));
});
