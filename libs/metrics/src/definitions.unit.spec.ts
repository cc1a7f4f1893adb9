import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { MetricSpec } from './definitions.ts';
import { METRICS, metricsMarkdown } from './definitions.ts';

test('metric names follow the conventions of Prometheus', () => {
  for (const [name, spec] of Object.entries(METRICS) as [string, MetricSpec][]) {
    assert.match(name, /^s2lab_[a-z0-9]+(_[a-z0-9]+)*$/);
    assert.equal(name.endsWith('_total'), spec.type === 'counter', `${name}: _total is for counters, all of them`);
    assert.doesNotMatch(name, /_(ns|ms|us|nanoseconds|milliseconds|kilobytes|kib)(_|$)/, `${name}: base units only`);
    assert.match(spec.help, /^[A-Z0-9].*\.$/, `${name}: help is a sentence`);
    assert.equal(spec.buckets !== undefined, spec.type === 'histogram');
  }
});

test('no label is unbounded', () => {
  for (const [name, spec] of Object.entries(METRICS) as [string, MetricSpec][]) {
    for (const label of spec.labels) assert.doesNotMatch(label, /^(run|machine|ipa|pa|table|slot|seq|vmid|stage2)$/, `${name}{${label}}`);
  }
});

test('docs/METRICS.md is what the table of metrics says', () => {
  const path = new URL('../../../docs/METRICS.md', import.meta.url);
  if (process.env['UPDATE_DOCS']) writeFileSync(path, metricsMarkdown());
  assert.equal(readFileSync(path, 'utf8'), metricsMarkdown(), 'run UPDATE_DOCS=1 npx node --test libs/metrics/src/*.spec.ts');
});
