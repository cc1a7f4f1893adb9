import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf, namesOf } from './promql.ts';

const TABLE = {
  lab_a_total: { type: 'counter', labels: ['policy'] },
  lab_b_seconds: { type: 'histogram', labels: ['mode'] },
};

test('an expression names its metrics and labels once each', () => {
  assert.deepEqual(namesOf('sum by (policy) (rate(lab_a_total{job="$job"}[$__rate_interval])) / ignoring (mode) lab_a_total'), {
    metrics: ['lab_a_total'],
    labels: ['policy', 'job', 'mode'],
  });
});

test('an expression that does not parse is refused with the place', () => {
  assert.throws(() => namesOf('sum(rate(lab_a_total[1m])'), /does not parse at character 25/);
  assert.throws(() => namesOf('lab_a_total +'), /does not parse/);
});

test('a metric that is not in the table is a fault, the series of a histogram are none', () => {
  assert.deepEqual(faultsOf('lab_c_total', TABLE), ['no metric lab_c_total is defined: lab_c_total']);
  assert.deepEqual(faultsOf('rate(lab_b_seconds_bucket{le="1"}[1m]) + lab_b_seconds_sum', TABLE), []);
  assert.equal(faultsOf('lab_a_total_sum', TABLE).length, 1);
  assert.deepEqual(faultsOf('up', TABLE, ['up']), []);
});

test('a label that no metric of the expression has is a fault', () => {
  assert.deepEqual(faultsOf('sum by (run) (lab_a_total)', TABLE), ['no metric of it has the label run: sum by (run) (lab_a_total)']);
});
