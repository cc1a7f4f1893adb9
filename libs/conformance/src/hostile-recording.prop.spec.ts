import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { conform } from './index.ts';

const FILES = [
  'stock/parallel-1034-ia40.ps14',
  'kvm/dirty-log-3000-chunk0x0-initset0.ps12',
  'pkvm/mmio-recycle.ps12',
  'v6.1/scripted-ia40.ps12',
];
const recordings = FILES.map((file) =>
  gunzipSync(readFileSync(new URL(`../../../testdata/golden/${file}.jsonl.gz`, import.meta.url)))
    .toString()
    .split('\n')
    .slice(0, 400),
);

const value = fc.constantFrom('"x"', '-1', '99999999', '"0xffffffffffffffff"', 'null', '3', '1e300', '[]');
const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('drop', 'repeat', 'field'), from: fc.nat(), field: fc.nat(), value });

test('whatever is done to a recording, it agrees, differs or is refused with its line, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.constantFrom(...recordings), fc.array(change, { minLength: 1, maxLength: 4 }), (recording, changes) => {
      const lines = [...recording, '{"end":1}'];
      for (const { at, kind, from, field, value: text } of changes) {
        const i = at % lines.length;
        if (kind === 'drop') lines.splice(i, 1);
        else if (kind === 'repeat') lines.splice(i, 0, lines[from % lines.length]!);
        else {
          const fields = [...lines[i]!.matchAll(/"\w+":("[^"]*"|-?\d+)/g)];
          const chosen = fields[field % Math.max(1, fields.length)];
          if (chosen !== undefined) lines[i] = lines[i]!.replace(chosen[0], chosen[0].replace(chosen[1]!, text));
        }
      }
      try {
        const { agreed, firstDifference } = conform(lines);
        assert.equal(agreed, firstDifference === null);
      } catch (error) {
        assert.equal((error as Error).name, 'RecordingError', (error as Error).stack);
        assert.match((error as Error).message, /line \d+/);
      }
    }),
    { numRuns: 300 },
  );
});
