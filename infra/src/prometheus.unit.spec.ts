import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { METRICS } from '@s2lab/metrics';
import { parse } from 'yaml';
import { faultsOf } from './promql.ts';

const FOLDER = new URL('../prometheus/', import.meta.url);

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: { readonly summary?: string; readonly description?: string };
    }[];
  }[];
}

const read = (path: string): unknown => parse(readFileSync(new URL(path, FOLDER), 'utf8'));
const ruleFiles = readdirSync(new URL('rules/', FOLDER)).filter((file) => file.endsWith('.rules.yml'));
const rules = ruleFiles.flatMap((file) => (read(`rules/${file}`) as Rules).groups.flatMap((group) => group.rules));

test('every alert parses and names metrics and labels that exist', () => {
  assert.ok(rules.length >= 3);
  assert.deepEqual(
    rules.flatMap(({ expr }) => faultsOf(expr, METRICS)),
    [],
  );
});

test('every alert says what happened, what to make of it, and is raised in a rule test', () => {
  const tests = readFileSync(new URL('rules/s2lab.test.yml', FOLDER), 'utf8');
  for (const { alert, annotations } of rules) {
    assert.ok(annotations.summary && annotations.description, alert);
    assert.match(tests, new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:\\n`), alert);
  }
});

test('both applications are found by the name of their service at the port they listen on', () => {
  const config = read('prometheus.yml') as {
    scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number; type: string }[] }[];
  };
  const compose = parse(readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')) as {
    services: Record<string, { environment: Record<string, string> }>;
  };
  for (const service of ['fleet', 'verifier']) {
    const [discovery] = config.scrape_configs.find(({ job_name: job }) => job === service)?.dns_sd_configs ?? [];
    assert.deepEqual([discovery?.names, discovery?.type], [[service], 'A']);
    assert.equal(discovery?.port, Number(compose.services[service]?.environment['S2LAB_HTTP_PORT']));
  }
});
