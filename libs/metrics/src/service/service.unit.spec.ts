import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { EventMetrics } from '../event-metrics.ts';
import { LabMetrics } from '../registry.ts';
import { serveHttp } from './service-http.ts';
import { SettingsError, readSettings } from './settings.ts';

const SCHEMA = z.object({ PORT: z.coerce.number().int().min(0).max(65535).default(80), NAME: z.string().min(1) });

test('settings come from the environment, with defaults for what is absent or empty', () => {
  assert.deepEqual(readSettings(SCHEMA, { PORT: '', NAME: 'a', OTHER: 'x' }), { PORT: 80, NAME: 'a' });
});

test('a wrong setting is one line with the variable, its value and the reason', () => {
  assert.throws(
    () => readSettings(SCHEMA, { PORT: '70000', NAME: 'a' }),
    (error: Error) => {
      assert.ok(error instanceof SettingsError);
      assert.match(error.message, /^environment variable PORT=70000: .*65535/);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
});

test('a service answers metrics, its health and its state', async () => {
  let because: string | undefined;
  const { registry } = new LabMetrics(new EventMetrics(), ['pipeline']);
  const http = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    registry,
    unhealthy: () => because,
    routes: { '/api/state': () => ({ run: 'r' }) },
  });
  try {
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${http.port}${path}`);
    const metrics = await get('/metrics');
    assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await metrics.text(), /^# TYPE s2lab_pending_frees gauge$/m);
    assert.deepEqual(await (await get('/api/state')).json(), { run: 'r' });
    assert.equal((await get('/healthz')).status, 200);
    because = 'no broker';
    const sick = await get('/healthz');
    assert.equal(sick.status, 503);
    assert.deepEqual(await sick.json(), { status: 'unhealthy', because: 'no broker' });
  } finally {
    await http.close();
  }
});
