import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventMetrics, LabMetrics } from '@s2lab/metrics';
import type { MetricSource } from './metric-feed.ts';
import { MetricFeed } from './metric-feed.ts';

type Values = Awaited<ReturnType<MetricSource['getMetricsAsJSON']>>;

test('series keep their number, those born later follow, and one that is gone is null', async () => {
  const scrapes: Values[] = [
    [{ name: 's2lab_collapses_total', values: [{ labels: { policy: 'rcu' }, value: 1 }] }],
    [
      {
        name: 's2lab_collapses_total',
        values: [
          { labels: { policy: 'hazard' }, value: 7 },
          { labels: { policy: 'rcu' }, value: 2 },
        ],
      },
    ],
    [{ name: 's2lab_collapses_total', values: [{ labels: { policy: 'hazard' }, value: 8 }] }],
  ];
  const feed = new MetricFeed({ getMetricsAsJSON: async () => scrapes.shift()! });
  const told: string[] = [];
  const stop = feed.listen({
    series: (more) => told.push(...more.map(({ name, labels }) => `${name} ${labels['policy'] ?? ''}`)),
    row: ({ values }) => told.push(values.join()),
  });
  await feed.read();
  await feed.read();
  stop();
  await feed.read();
  feed.close();
  assert.deepEqual(told, ['s2lab_collapses_total rcu', 'up ', '1,1', 's2lab_collapses_total hazard', '2,1,7']);
  assert.deepEqual(
    feed.history().rows.map(({ values }) => values),
    [
      [1, 1],
      [2, 1, 7],
      [null, 1, 8],
    ],
  );
});

test('of a real registry it takes what some view shows, parts of histograms by name, and nothing else', async () => {
  const feed = new MetricFeed(new LabMetrics(new EventMetrics(), ['verifier', 'pipeline']).registry);
  await feed.read();
  feed.close();
  const names = new Set(feed.history().series.map(({ name }) => name));
  assert.ok(names.has('s2lab_verifier_gaps_total') && names.has('process_resident_memory_bytes') && names.has('up'));
  assert.ok(!names.has('nodejs_version_info') && !names.has('process_open_fds'));
});
