import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { METRICS, type MetricSpec } from '@s2lab/metrics';
import { requireCapability } from '@s2lab/testkit';
import { parse } from 'yaml';
import { dashboards } from './dashboards.ts';

const DEADLINE_MS = 60_000;

/** Every metric of the table in the text format, with two values of each label; what counts has grown at each call. */
function exposition(call: number): string {
  const lines: string[] = [];
  for (const [name, { type, labels }] of Object.entries(METRICS) as [string, MetricSpec][]) {
    lines.push(`# TYPE ${name} ${type}`);
    for (const value of ['one', 'two']) {
      const own = labels.map((label) => `${label}="${value}"`);
      const series = (suffix: string, more: readonly string[] = []): string => `${name}${suffix}{${[...own, ...more].join(',')}} ${call}`;
      if (type === 'histogram') lines.push(series('_bucket', ['le="+Inf"']), series('_sum'), series('_count'));
      else lines.push(series(''));
      if (labels.length === 0) break;
    }
  }
  return `${lines.join('\n')}\n`;
}

async function listen(t: TestContext): Promise<number> {
  let calls = 0;
  const server: Server = createServer((_, response) => {
    calls += 1;
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8').end(exposition(calls));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** @returns the address of a Prometheus that scrapes `target` as both jobs, every second. */
async function startPrometheus(t: TestContext, program: string, target: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-prometheus-'));
  const jobs = ['fleet', 'verifier'].map((job) => ({ job_name: job, static_configs: [{ targets: [`127.0.0.1:${target}`] }] }));
  writeFileSync(
    join(folder, 'prometheus.yml'),
    JSON.stringify({ global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: jobs }),
  );
  const port = await freePort();
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`];
  const prometheus = spawn(program, args, { stdio: 'ignore' });
  t.after(async () => {
    prometheus.kill('SIGKILL');
    if (prometheus.exitCode === null && prometheus.signalCode === null) await once(prometheus, 'exit');
    rmSync(folder, { recursive: true });
  });
  return `http://127.0.0.1:${port}`;
}

/** @returns how many series the query gives; undefined while Prometheus does not listen. */
async function seriesOf(address: string, query: string): Promise<number | undefined> {
  const response = await fetch(`${address}/api/v1/query?query=${encodeURIComponent(query)}`).catch(() => undefined);
  if (response === undefined || response.status === 503) return undefined;
  const { status, error, data } = (await response.json()) as { status: string; error?: string; data?: { result: unknown[] } };
  assert.equal(status, 'success', `${error}: ${query}`);
  return data?.result.length;
}

function panelQueries(): string[] {
  const targets = Object.values(dashboards()).flatMap(({ panels = [] }) =>
    panels.flatMap((panel) => ('targets' in panel ? (panel.targets ?? []) : [])),
  );
  const chosen = (query: string): string =>
    query
      .replaceAll('$__rate_interval', '1m')
      .replaceAll('"$job"', '"fleet"')
      .replaceAll(/"\$\w+"/g, '".*"');
  return targets.map((target) => chosen((target as unknown as { expr: string }).expr));
}

function alertQueries(): string[] {
  const rules = readFileSync(new URL('../prometheus/rules/s2lab.rules.yml', import.meta.url), 'utf8');
  return (parse(rules) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap((group) => group.rules.map((rule) => rule.expr));
}

test('every query of every panel gives data from a real Prometheus that scrapes every metric, and every alert is evaluated', async (t) => {
  const program = requireCapability(t, 'prometheus');
  if (program === undefined) return;
  const address = await startPrometheus(t, program, await listen(t));
  const deadline = Date.now() + DEADLINE_MS;
  let empty = panelQueries();
  assert.ok(empty.length > 10);
  while (empty.length > 0) {
    assert.ok(Date.now() < deadline, `no data within ${DEADLINE_MS / 1000} s from:\n${empty.join('\n')}`);
    await sleep(500);
    const series = await Promise.all(empty.map((query) => seriesOf(address, query)));
    empty = empty.filter((_, i) => (series[i] ?? 0) === 0);
  }
  for (const query of alertQueries()) assert.notEqual(await seriesOf(address, query), undefined, query);
});
