import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '@s2lab/metrics';
import { parse } from 'yaml';
import { dashboardText, dashboards } from './dashboards.ts';
import { faultsOf } from './promql.ts';

const FOLDER = new URL('../grafana/dashboards/', import.meta.url);
const PROVISIONING = new URL('../grafana/provisioning/', import.meta.url);
const all = Object.entries(dashboards());

const panelsOf = (dashboard: Dashboard): Panel[] => (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== 'row');
const expressionsOf = (panel: Panel): string[] => (panel.targets ?? []).map((target) => (target as unknown as { expr: string }).expr);

test('the files in infra/grafana/dashboards are what the definitions give: else run `npm run dashboards -w @s2lab/infra`', () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), all.map(([file]) => file).sort());
  for (const [file, dashboard] of all) assert.equal(readFileSync(new URL(file, FOLDER), 'utf8'), dashboardText(dashboard), file);
});

test('every query of every panel parses and names metrics and labels that exist', () => {
  const expressions = all.flatMap(([, dashboard]) => panelsOf(dashboard).flatMap(expressionsOf));
  assert.ok(expressions.length > 10);
  assert.deepEqual(
    expressions.flatMap((expression) => faultsOf(expression, METRICS)),
    [],
  );
});

test('every variable asks for a metric and labels that exist', () => {
  for (const [file, dashboard] of all) {
    for (const { name, type, query } of dashboard.templating?.list ?? []) {
      if (type !== 'query') continue;
      const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec((query as { query: string }).query) ?? [];
      assert.ok(series !== undefined && label !== undefined, `${file}, variable ${name}`);
      assert.deepEqual(faultsOf(`sum by (${label}) (${series})`, METRICS), []);
    }
  }
});

test('every panel has an id of its own, a title, a description and a unit', () => {
  for (const [file, dashboard] of all) {
    const ids = (dashboard.panels ?? []).map((panel) => panel.id);
    assert.equal(new Set(ids).size, ids.length, file);
    for (const panel of panelsOf(dashboard)) {
      const { title, description, fieldConfig } = panel;
      assert.ok(title && description && fieldConfig?.defaults.unit && expressionsOf(panel).length > 0, `${file}, panel ${panel.id}`);
    }
  }
});

test('a dashboard refers to the provisioned data source and is found in the provisioned folder', () => {
  const { datasources } = parse(readFileSync(new URL('datasources/prometheus.yml', PROVISIONING), 'utf8')) as {
    datasources: { uid: string; url: string }[];
  };
  for (const [file, dashboard] of all) {
    const variable = dashboard.templating?.list?.find(({ type }) => type === 'datasource');
    assert.equal(variable?.current?.value, datasources[0]?.uid, file);
    assert.equal(dashboard.editable, false, file);
  }
  assert.equal(datasources[0]?.url, 'http://prometheus:9090');
});

test('the first dashboard shows collapse rate, pending frees, faults, invalidations, events and violations', () => {
  const shown = panelsOf(dashboards()['reclaim.json']!).flatMap(expressionsOf).join('\n');
  const wanted = [
    'collapses_total',
    'pending_frees',
    'faults_total',
    'tlb_invalidations_total',
    'events_total',
    'verifier_events_total',
    'violations_total',
  ];
  for (const name of wanted) assert.match(shown, new RegExp(`\\bs2lab_${name}\\b`));
});
