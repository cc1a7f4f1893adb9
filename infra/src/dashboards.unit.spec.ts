import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '@s2lab/metrics';
import { DATA_SOURCE_ID } from '@s2lab/stage2-datasource';
import { PANEL_ID } from '@s2lab/stage2-panel';
import { parse } from 'yaml';
import { dashboardText, dashboards } from './dashboards.ts';
import { PROCESS_METRICS } from '@s2lab/dashboards';
import { faultsOf } from './promql.ts';
import { STAGE2_SOURCE } from './stage2-map-panel.ts';

const FOLDER = new URL('../grafana/dashboards/', import.meta.url);
const PROVISIONING = new URL('../grafana/provisioning/', import.meta.url);
const TABLE = { ...METRICS, ...PROCESS_METRICS };
const all = Object.entries(dashboards());

const panelsOf = (dashboard: Dashboard): Panel[] => (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== 'row');
/** Queries in PromQL; those of the map are none. */
const targetsOf = (panel: Panel): { expr: string; legendFormat: string }[] =>
  panel.type === PANEL_ID ? [] : ((panel.targets ?? []) as unknown as { expr: string; legendFormat: string }[]);
const expressionsOf = (panel: Panel): string[] => targetsOf(panel).map(({ expr }) => expr);

test('the files in infra/grafana/dashboards are what the definitions give: else run `npm run dashboards -w @s2lab/infra`', () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), all.map(([file]) => file).sort());
  for (const [file, dashboard] of all) assert.equal(readFileSync(new URL(file, FOLDER), 'utf8'), dashboardText(dashboard), file);
});

test('every query of every panel parses and names metrics and labels that exist', () => {
  const expressions = all.flatMap(([, dashboard]) => panelsOf(dashboard).flatMap(expressionsOf));
  assert.ok(expressions.length > 50);
  assert.deepEqual(
    expressions.flatMap((expression) => faultsOf(expression, TABLE)),
    [],
  );
});

test('every variable asks for a metric and labels that exist', () => {
  for (const [file, dashboard] of all) {
    for (const { name, type, query, datasource } of dashboard.templating?.list ?? []) {
      if (type !== 'query' || datasource?.uid === STAGE2_SOURCE.uid) continue;
      const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec((query as { query: string }).query) ?? [];
      assert.ok(series !== undefined && label !== undefined, `${file}, variable ${name}`);
      assert.deepEqual(faultsOf(`sum by (${label}) (${series})`, TABLE), []);
    }
  }
});

test('every annotation parses, names metrics and labels that exist, and says what it marks', () => {
  for (const [file, { annotations }] of all) {
    for (const { name, expr, textFormat } of annotations?.list ?? []) {
      assert.ok(expr && textFormat, `${file}, annotation ${name}`);
      assert.deepEqual(faultsOf(expr, TABLE), []);
    }
  }
});

test('no two panels of a dashboard have the same title', () => {
  for (const [file, dashboard] of all) {
    const titles = panelsOf(dashboard).map(({ title }) => title);
    assert.deepEqual([...new Set(titles)], titles, file);
  }
});

test('a legend names only labels by which its query is grouped', () => {
  for (const [file, dashboard] of all) {
    for (const panel of panelsOf(dashboard)) {
      for (const target of targetsOf(panel)) {
        const grouped = [...target.expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
        for (const [, label = ''] of target.legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          assert.ok(grouped.includes(label), `${file}, ${panel.title}: ${label}`);
      }
    }
  }
});

test('what counts is only ever shown as a rate or as a sum since a start, and rates are over Grafana’s rate interval', () => {
  for (const expression of all.flatMap(([, dashboard]) => panelsOf(dashboard).flatMap(expressionsOf))) {
    assert.doesNotMatch(expression, /(rate|increase)\([^)]*\[(?!\$__rate_interval\])/, expression);
    assert.doesNotMatch(expression, /\birate\(/, expression);
    for (const [whole] of expression.matchAll(/\w+\(s2lab_\w+_total\b/g)) assert.match(whole, /^(rate|increase|sum)\(/, expression);
  }
});

test('metrics of events and of programs are chosen by job and by instance, whose variables every dashboard has', () => {
  for (const [file, dashboard] of all) {
    const variables = (dashboard.templating?.list ?? []).map(({ name }) => name);
    assert.deepEqual(variables.slice(0, 3), ['datasource', 'job', 'instance'], file);
    for (const variable of dashboard.templating?.list ?? []) if (variable.type === 'query') assert.equal(variable.refresh, 2, file);
    for (const expression of panelsOf(dashboard).flatMap(expressionsOf)) {
      for (const [, metric = '', matchers = ''] of expression.matchAll(/\b((?:s2lab|process|nodejs)_\w+|up\b)(\{[^}]*\})?/g)) {
        const spec = (METRICS as Readonly<Record<string, { from: string }>>)[metric.replace(/_(bucket|sum)$/, '')];
        const free = variables.includes('policy') && spec?.from !== 'events';
        if (!free) assert.match(matchers, /^\{job=~?"\$job", instance=~"\$instance"/, `${file}: ${expression}`);
      }
    }
  }
});

test('every dashboard links to the others and takes time and variables along', () => {
  for (const [file, { links = [], tags = [] }] of all) {
    assert.ok(
      links.some(
        (link) => link.type === 'dashboards' && link.keepTime && link.includeVars && link.tags.every((tag: string) => tags.includes(tag)),
      ),
      file,
    );
  }
  for (const [file, { links, annotations }] of all)
    for (const shown of [...(links ?? []), ...(annotations?.list ?? [])])
      assert.equal(shown.placement, undefined, `${file}: not in a menu`);
  const names = all.map(([, { uid }]) => uid);
  assert.equal(new Set(names).size, names.length);
});

test('every panel has an id of its own, a title, a description and a unit', () => {
  for (const [file, dashboard] of all) {
    const ids = (dashboard.panels ?? []).map((panel) => panel.id);
    assert.equal(new Set(ids).size, ids.length, file);
    for (const panel of panelsOf(dashboard)) {
      const { title, description, fieldConfig } = panel;
      assert.ok(title && description && fieldConfig?.defaults.unit && (panel.targets ?? []).length > 0, `${file}, panel ${panel.id}`);
    }
  }
});

test('a dashboard refers to the provisioned data sources and is found in the provisioned folder', () => {
  const { datasources } = parse(readFileSync(new URL('datasources/s2lab.yml', PROVISIONING), 'utf8')) as {
    datasources: { uid: string; type: string; url: string; jsonData: Record<string, string> }[];
  };
  for (const [file, dashboard] of all) {
    const variable = dashboard.templating?.list?.find(({ type }) => type === 'datasource');
    assert.equal(variable?.current?.value, datasources[0]?.uid, file);
    assert.equal(dashboard.editable, false, file);
  }
  assert.equal(datasources[0]?.url, 'http://prometheus:9090');
  const [, stage2] = datasources;
  assert.deepEqual({ type: stage2?.type, uid: stage2?.uid }, STAGE2_SOURCE);
  assert.equal(stage2?.url, 'http://fleet:9464');
  assert.equal(stage2?.jsonData['explorerUrl'], '${S2LAB_EXPLORER_URL}');
});

test('the map asks our data source for the machine that is chosen, and every dashboard leads to the explorer', () => {
  const maps = all.flatMap(([, dashboard]) => panelsOf(dashboard).filter(({ type }) => type === PANEL_ID));
  assert.equal(maps.length, 1);
  assert.deepEqual(maps[0]!.targets as unknown, [
    { refId: 'A', datasource: { type: DATA_SOURCE_ID, uid: STAGE2_SOURCE.uid }, machine: '$machine' },
  ]);
  for (const [file, { links = [], templating, graphTooltip }] of all) {
    assert.ok(
      links.some(({ url }) => url === '${explorer:raw}'),
      file,
    );
    assert.ok(
      templating?.list?.some(({ name, query }) => name === 'explorer' && query === 'explorer'),
      file,
    );
    assert.equal(graphTooltip, 1, `${file}: panels share their cursor`);
  }
});

test('every metric of the lab is shown on some dashboard', () => {
  const shown = all.flatMap(([, dashboard]) => panelsOf(dashboard).flatMap(expressionsOf)).join('\n');
  const marked = all.flatMap(([, { annotations }]) => (annotations?.list ?? []).map(({ expr }) => expr)).join('\n');
  const missing = Object.keys(METRICS).filter((name) => !`${shown}\n${marked}`.includes(name));
  assert.deepEqual(missing, []);
});

test('the first dashboard shows collapse rate, pending frees, grace periods, blocked walkers, restarts, pages left and violations', () => {
  const shown = panelsOf(dashboards()['reclaim.json']!).flatMap(expressionsOf).join('\n');
  const wanted = [
    'collapses_total',
    'pending_frees',
    'pending_frees_peak',
    'pending_free_oldest_age_seconds',
    'grace_periods_total',
    'lock_wait_seconds_bucket',
    'walk_retries_total',
    'mapped_memory_bytes',
    'table_memory_bytes',
    'violations_total',
  ];
  for (const name of wanted) assert.match(shown, new RegExp(`\\bs2lab_${name}\\b`));
});
