import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { EventMetrics } from '@s2lab/metrics';
import type { Stage2StateJson } from '@s2lab/stage2-map';
import { hitTest, fitView, mapBands, stateFromJson, xOf } from '@s2lab/stage2-map';
import { fastify } from 'fastify';
import { RunKeeper } from '../control/run-keeper.ts';
import { MetricsSink } from '../metered-sink.ts';
import { loadScenario } from '../scenario-source.ts';
import { labApi } from './lab-api.ts';

const events = new EventMetrics();
const runs = new RunKeeper({
  loaded: await loadScenario('smoke'),
  policy: null,
  seed: 1,
  speed: 0,
  repeat: false,
  nameRun: (derived, _scenario, _seed, number) => `${derived}-${number}`,
});
const app = fastify();
await app.register(labApi({ runs, events, output: () => ({ to: 'nowhere', where: '', waitingFor: null }) }));
const stop = new AbortController();
let ended: () => void;
const over = new Promise<void>((resolve) => {
  ended = resolve;
});
const kept = runs.keep({ begin: async () => [new MetricsSink(events)], ended: async () => ended() }, stop.signal);
after(async () => {
  stop.abort();
  await kept;
  await app.close();
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers: { host: 'localhost', ...headers } });

test('the stage-2 of a machine is answered whole, in part and merged, and not again while nothing happens', async () => {
  await over;
  const answer = await get('/api/machines/0/stage2');
  assert.equal(answer.statusCode, 200, answer.body);
  const json = answer.json<Stage2StateJson>();
  assert.equal(json.origin.run, runs.run.fleet.run);
  assert.equal(json.exact, true);
  const state = stateFromJson(json);
  const view = fitView(state, 800, 200);
  const band = mapBands(state, view)[0]!;
  assert.notEqual(hitTest(state, view, xOf(view, (view.from + view.to) / 2), band.top + 1), undefined);

  const again = await get('/api/machines/0/stage2', { 'if-none-match': String(answer.headers['etag']) });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
  assert.equal((await get('/api/machines/0/stage2', { 'if-none-match': '"other"' })).statusCode, 200);

  const part = (await get('/api/machines/0/stage2?from=0x0&to=4096&top=2&bottom=2')).json<Stage2StateJson>();
  assert.deepEqual([part.from, part.to, part.levels.map(({ level }) => level)], [0, 4096, [2]]);
  const few = (await get('/api/machines/0/stage2?maxRuns=16')).json<Stage2StateJson>();
  assert.ok(few.levels.reduce((sum, { ipa }) => sum + ipa.length, 0) <= 16);
});

test('a machine that is not there and parameters that make no sense are refused in one line', async () => {
  for (const [url, status, error] of [
    ['/api/machines/99/stage2', 404, /^this run has no machine 99; /],
    ['/api/machines/x/stage2', 400, /^params\/machine: /],
    ['/api/machines/0/stage2?from=-1', 400, /^querystring\/from: is no address/],
    ['/api/machines/0/stage2?from=0x20000000000000', 400, /^querystring\/from: /],
    ['/api/machines/0/stage2?from=8192&to=4096', 400, /^to: is not behind from$/],
    ['/api/machines/0/stage2?top=3&bottom=1', 400, /^bottom: is above top$/],
    ['/api/machines/0/stage2?maxRuns=1', 400, /^querystring\/maxRuns: /],
    ['/api/machines/0/stage2?maxRuns=1000000', 400, /^querystring\/maxRuns: /],
  ] as const) {
    const answer = await get(url);
    assert.equal(answer.statusCode, status, url);
    assert.match(answer.json<{ error: string }>().error, error);
  }
});
