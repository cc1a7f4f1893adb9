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
      readonly alert?: string;
      readonly record?: string;
      readonly expr: string;
      readonly labels?: { readonly severity?: string };
      readonly annotations?: { readonly summary?: string; readonly description?: string; readonly runbook_url?: string };
    }[];
  }[];
}

const read = (path: string): unknown => parse(readFileSync(new URL(path, FOLDER), 'utf8'));
const ruleFiles = readdirSync(new URL('rules/', FOLDER)).filter((file) => file.endsWith('.rules.yml'));
const rules = ruleFiles.flatMap((file) => (read(`rules/${file}`) as Rules).groups.flatMap((group) => group.rules));

const alerts = rules.filter(({ alert }) => alert !== undefined);
const recorded = rules.flatMap(({ record }) => (record === undefined ? [] : [record]));
const tests = readFileSync(new URL('rules/s2lab.test.yml', FOLDER), 'utf8');

test('every rule parses and names metrics and labels that exist, or what another rule records', () => {
  assert.ok(alerts.length >= 6 && recorded.length >= 3);
  assert.deepEqual(
    rules.flatMap(({ expr }) => faultsOf(expr, { ...METRICS, ...recordedTable() })),
    [],
  );
});

/** A recorded metric is named level:metric:operation, and has the labels of its level. */
function recordedTable(): Record<string, { type: string; labels: string[] }> {
  return Object.fromEntries(recorded.map((name) => [name, { type: 'gauge', labels: [/^([a-z_]+):s2lab_\w+:\w+$/.exec(name)![1]!] }]));
}

test('every alert has a severity, says what happened, what to make of it and what to do, and is raised in a rule test', () => {
  const guide = readFileSync(new URL('../../docs/STACK.md', import.meta.url), 'utf8');
  for (const { alert, labels, annotations } of alerts) {
    assert.match(labels?.severity ?? '', /^(critical|warning)$/, alert);
    assert.ok(annotations?.summary && annotations.description, alert);
    assert.equal(annotations.runbook_url, `docs/STACK.md#${alert!.toLowerCase()}`);
    assert.match(guide, new RegExp(`^### ${alert}$`, 'm'));
    assert.match(guide, new RegExp(`^\\| \`${alert}\` \\| ${labels?.severity} \\|`, 'm'));
    assert.match(tests, new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:\\n`), alert);
  }
});

test('every recorded metric is computed in a rule test', () => {
  for (const name of recorded) assert.match(tests, new RegExp(`expr: .*${name}`));
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
