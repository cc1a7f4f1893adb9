import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EventRows } from '@s2lab/events';
import { copyRows, EventColumns } from '@s2lab/events';
import { lifeOfAStage2 } from '@s2lab/testkit';
import { formatVerdict, Verifier } from './index.ts';

const COLUMNS = ['kind', 'actor', 'walk', 'stage2', 'level', 'slot', 'table', 'old', 'new', 'ipa', 'arg', 'aux'] as const;
const [good] = lifeOfAStage2().frames(4096);
const origin = good!.origin;

function judge(rows: EventRows): void {
  const verifier = new Verifier({ maxViolations: 20 });
  verifier.fold({ origin, firstSeq: 0, rows });
  const verdict = verifier.finish();
  assert.equal(verdict.events, rows.length);
  assert.ok(formatVerdict(verdict).length > 0);
}

test('a valid log with any of its fields overwritten is judged without an exception', () => {
  const edits = fc.array(fc.tuple(fc.constantFrom(...COLUMNS), fc.nat(), fc.oneof(fc.nat(100), fc.nat(0xffff_ffff))), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(edits, (changes) => {
      const rows = copyRows(good!.rows);
      // Row 0 stays machine-started: without it nothing is judged.
      for (const [name, at, value] of changes) {
        const column = rows[name];
        const width = column.length / rows.length;
        column[width + (at % (column.length - width))] = value;
      }
      judge(rows);
    }),
    { numRuns: 400 },
  );
});

test('rows of random numbers after machine-started are judged without an exception', () => {
  const row = fc.tuple(
    fc.integer({ min: 1, max: 92 }),
    fc.nat(5),
    fc.nat(3),
    fc.integer({ min: -1, max: 4 }),
    fc.nat(6),
    fc.nat(5),
    fc.constantFrom(0, 1, 3, 0x1003, 0x2003, 0x7d9),
    fc.nat(9),
  );
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 200 }), (rows) => {
      const columns = new EventColumns(rows.length + 1);
      columns.append(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4, 12);
      for (const [kind, actor, stage2, level, slot, table, lo, arg] of rows) {
        columns.append(kind, 1, actor, 0, stage2, level, slot, table, lo, 0, lo, arg & 1 ? 0x7000 : 0, slot * 0x1000, arg, level & 3);
      }
      judge(columns);
    }),
    { numRuns: 400 },
  );
});
