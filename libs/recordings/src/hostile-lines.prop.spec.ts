import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { importGolden, RecordingError } from './index.ts';

const file = join(import.meta.dirname, '../../../testdata/golden/kvm/dirty-log-3000-chunk0x0-initset0.ps12.jsonl.gz');
const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');

/** Imports and throws away; anything thrown but a RecordingError with a line of the input fails the test. */
function survives(input: readonly string[]): void {
  try {
    for (const frame of importGolden(input)) assert.ok(frame.rows.length > 0);
  } catch (error) {
    assert.ok(error instanceof RecordingError, String(error));
    assert.ok(error.line >= 1 && error.line <= Math.max(1, input.length), error.message);
  }
}

test('a recording with lines lost, doubled, cut or overwritten is imported or refused with its line', () => {
  const edit = fc.record({
    at: fc.nat(lines.length - 1),
    how: fc.constantFrom('drop', 'double', 'cut', 'replace'),
    column: fc.nat(300),
    text: fc.string({ maxLength: 12 }),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const input = [...lines];
      for (const { at, how, column, text } of edits) {
        const line = input[at % input.length] ?? '';
        const position = column % (line.length + 1);
        if (how === 'drop') input.splice(at % input.length, 1);
        else if (how === 'double') input.splice(at % input.length, 0, line);
        else if (how === 'cut') input[at % input.length] = line.slice(0, position);
        else input[at % input.length] = line.slice(0, position) + text + line.slice(position + text.length);
      }
      survives(input);
    }),
    { numRuns: 300 },
  );
});

test('lines of any JSON values are refused with their line', () => {
  fc.assert(
    fc.property(fc.array(fc.json(), { maxLength: 20 }), (input) => survives([lines[0]!, ...input])),
    { numRuns: 200 },
  );
});
