import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query, Series } from '@s2lab/dashboards';
import { bucketsOf } from './buckets.ts';
import type { Samples } from './evaluate.ts';
import { curvesOf, legendOf } from './evaluate.ts';

/** Two policies whose counters grow by 2 and by 3 a second, from row 3 on also a third, and a gauge. */
const SAMPLES: Samples = {
  series: [
    { name: 'c_total', labels: { policy: 'rcu', op: 'map' } },
    { name: 'c_total', labels: { policy: 'rcu', op: 'unmap' } },
    { name: 'c_total', labels: { policy: 'rwlock', op: 'map' } },
    { name: 'time_total', labels: { policy: 'rcu' } },
    { name: 'time_total', labels: { policy: 'rwlock' } },
    { name: 'held', labels: { policy: 'rcu' } },
    { name: 'held', labels: { policy: 'rwlock' } },
    { name: 'late_total', labels: {} },
  ],
  rows: Array.from({ length: 8 }, (_, i) => ({
    t: 100 + i,
    values: [2 * i, 10 * i, 3 * i, 0.5 * i, 0, i, 7, ...(i < 3 ? [] : [4 * (i - 2)])],
  })),
};
const LAST = 7;

function series(metric: string, over: Series['over'], more: Partial<Series> = {}): Series {
  return { metric, part: '', over, chosen: [{ label: 'policy', several: true }], where: {}, ...more };
}

function sum(of: Series, by: readonly string[] = []): Query {
  return { kind: 'sum', series: of, by };
}

function valuesOf(query: Query, choice: Record<string, string> = {}, i = LAST): [string, number | null][] {
  return curvesOf(query, SAMPLES, choice).map(({ labels, at }) => [Object.values(labels).join(), at(i)]);
}

test('series are added up by the labels asked for, under what the reader has chosen and what the panel demands', () => {
  assert.deepEqual(valuesOf(sum(series('c_total', 'now'))), [['', 14 + 70 + 21]]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'now'), ['policy'])), [
    ['rcu', 84],
    ['rwlock', 21],
  ]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'now')), { policy: 'rwlock' }), [['', 21]]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'now', { chosen: [] })), { policy: 'rwlock' }), [['', 105]]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'now', { where: { op: 'unmap' } }), ['policy'])), [['rcu', 70]]);
  assert.deepEqual(valuesOf(sum(series('no_such', 'now'))), []);
});

test('the largest, the smallest and the number of series', () => {
  for (const [kind, value] of [
    ['max', 7],
    ['min', 6],
    ['count', 2],
  ] as const)
    assert.deepEqual(valuesOf({ kind, series: series('held', 'now'), by: [] }, {}, 6), [['', value]], kind);
});

test('a counter is shown as its growth per second over the last seconds, and has none at its first row', () => {
  assert.deepEqual(valuesOf(sum(series('c_total', 'second'), ['policy'])), [
    ['rcu', 12],
    ['rwlock', 3],
  ]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'second')), {}, 0), [['', null]]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'second')), {}, 1), [['', 15]]);
  assert.deepEqual(valuesOf(sum(series('c_total', 'span')), {}, 7), [['', 75]]);
});

test('a series that is born late counts from zero', () => {
  assert.deepEqual(valuesOf(sum(series('late_total', 'span')), {}, 2), [['', null]]);
  assert.deepEqual(valuesOf(sum(series('late_total', 'span')), {}, 4), [['', 8]]);
});

test('one value by another joins equal labels, leaves out those only the dividend has, and is nothing by zero', () => {
  const rate = sum(series('c_total', 'second'), ['policy', 'op']);
  const time = sum(series('time_total', 'second'), ['policy']);
  assert.deepEqual(valuesOf({ kind: 'ratio', dividend: rate, divisor: time, ignoring: ['op'] }), [
    ['rcu,map', 4],
    ['rcu,unmap', 20],
    ['rwlock,map', null],
  ]);
  assert.deepEqual(valuesOf({ kind: 'ratio', dividend: rate, divisor: time, ignoring: [] }), []);
});

test('zero stands in where there is nothing, and a moment becomes the time since', () => {
  assert.deepEqual(valuesOf({ kind: 'orZero', of: sum(series('no_such', 'now')) }), [['', 0]]);
  assert.deepEqual(valuesOf({ kind: 'zero' }), [['', 0]]);
  assert.deepEqual(valuesOf({ kind: 'since', of: sum(series('held', 'now')) }, { policy: 'rcu' }), [['', 100]]);
});

test('buckets are what fell between two bounds', () => {
  const curve = (le: string, value: number): { labels: { le: string }; at: () => number } => ({ labels: { le }, at: () => value });
  const buckets = bucketsOf([curve('+Inf', 9), curve('0.001', 5), curve('0.0001', 2)]);
  assert.deepEqual(
    buckets.map(({ from, to, at }) => [from, to, at(0)]),
    [
      [0, 0.0001, 2],
      [0.0001, 0.001, 3],
      [0.001, Infinity, 4],
    ],
  );
});

test('a legend takes the values of labels, and closes the hole of one that has none', () => {
  assert.equal(legendOf('{{policy}} on {{kind}}', { policy: 'rcu', kind: 'kvm' }), 'rcu on kvm');
  assert.equal(legendOf('{{job}} {{instance}}, heap', { job: 'lab', instance: '' }), 'lab, heap');
  assert.equal(legendOf('{{instance}}, over all machines', { instance: '' }), 'over all machines');
});
