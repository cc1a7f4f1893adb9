import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Figure } from './figure.ts';
import { deviation, judge, quotientRange } from './figure.ts';

const figure = (simulated: number, rest: Partial<Figure> = {}): Figure => ({
  name: 'figure',
  published: 100,
  simulated,
  tolerance: 0.15,
  ...rest,
});

test('a figure is within its tolerance on either side, and a miss beyond it', () => {
  assert.deepEqual(
    [85.01, 114.99, 84.9, 115.1].map((simulated) => judge(figure(simulated))),
    ['within', 'within', 'miss', 'miss'],
  );
});

test('an exact figure must be equal', () => {
  assert.equal(judge(figure(100, { tolerance: 0 })), 'equal');
  assert.equal(judge(figure(100.001, { tolerance: 0 })), 'miss');
});

test('a figure without a tolerance is shown and never judged', () => {
  const { tolerance: _, ...shown } = figure(1000);
  assert.equal(judge(shown), 'shown');
});

test('a rounded published figure is judged by what it may stand for', () => {
  const range = quotientRange(0.21, 0.17, 0.01);
  assert.ok(range[0] < 1.18 && range[1] > 1.3);
  const rounded = { published: 0.21 / 0.17, roundedFrom: range };
  assert.equal(judge(figure(1, rounded)), 'rounding');
  assert.equal(judge(figure(0.99, rounded)), 'miss');
  assert.equal(judge(figure(1.2, rounded)), 'within');
});

test('the deviation is a share of the published figure', () => {
  assert.equal(deviation(figure(120))?.toFixed(3), '0.200');
});

test('a published 0 that comes out deviates by nothing', () => {
  assert.equal(deviation(figure(0, { published: 0, tolerance: 0 })), 0);
  assert.equal(judge(figure(1, { published: 0, tolerance: 0 })), 'miss');
});
