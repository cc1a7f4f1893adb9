import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { medians, parseMeasured, table } from './bench.ts';

const run = (value: number) => ({ name: 'encode', value, unit: 'events/s', better: 'higher', target: 5e6 }) as const;

describe('the bench runner', () => {
  it('takes the median of the runs and keeps the range', () => {
    assert.deepEqual(medians([run(6e6), run(9e6), run(4e6)]), [{ ...run(6e6), least: 4e6, most: 9e6, runs: 3 }]);
  });

  it('says whether a target was reached, in the direction that counts', () => {
    const figures = medians([run(4e6), { name: 'size', value: 4.2061, unit: 'bytes', better: 'lower', target: 8 }]);
    assert.match(table(figures), /\| encode \| 4,000,000 \| .* \| ≥ 5,000,000 ✗ missed \|/);
    assert.match(table(figures), /\| size \| 4\.206 \| .* \| ≤ 8 ✓ \|/);
  });

  it('refuses a line that lacks a part and passes over text', () => {
    assert.throws(
      () => parseMeasured('{"name":"x","value":1}', 'a.bench.ts'),
      /a\.bench\.ts printed .* wants name, value, unit and better/,
    );
    assert.equal(parseMeasured('warming up', 'a.bench.ts'), undefined);
  });
});
