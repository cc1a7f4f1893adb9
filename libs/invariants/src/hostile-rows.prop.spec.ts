import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EventRows } from '@s2lab/events';
import { copyRows, EventColumns, K, sliceRows } from '@s2lab/events';
import { lifeOfAStage2, trace } from '@s2lab/testkit';
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

/** Walks along a table: most reads follow one of the same walker in the same table. */
function logOfWalks(): EventRows {
  const t = trace().map(0, 0x4000_0000, 0x8000_0000).map(0, 0x4000_2000, 0x8000_2000);
  for (const actor of [0, 1]) {
    t.as(actor).beginWalk('leaf', 0x4000_0000, 0x8000, 0, true).enter().read(0, 1).read(1, 0);
    for (let slot = 0; slot < 8; slot += 1) t.read(2, slot);
    t.leave().endWalk();
  }
  return t.stop().frames(4096)[0]!.rows;
}

test('a log has the same verdict however it is cut into frames, also where reads of a walk along a table are altered', () => {
  const walks = logOfWalks();
  const isRead = (i: number): boolean => walks.kind[i] === K.descriptorRead;
  const reads = Array.from(walks.kind, (_, i) => i).filter(isRead);
  const edit = fc.tuple(
    fc.constantFrom(...reads),
    fc.constantFrom('actor', 'stage2', 'slot', 'table', 'old', 'at', 'kind'),
    fc.constantFrom(0, 1, 2, 3, 30, 52, 512),
  );
  let violated = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 9 }), (changes, frameRows) => {
      const rows = copyRows(walks);
      for (const [row, name, value] of changes) rows[name][(rows[name].length / rows.length) * row] = value;
      const judged = [rows.length, frameRows].map((size) => {
        const verifier = new Verifier();
        for (let from = 0; from < rows.length; from += size)
          verifier.fold({ origin, firstSeq: from, rows: sliceRows(rows, from, Math.min(rows.length, from + size)) });
        return verifier.finish();
      });
      assert.deepEqual(judged[1], judged[0]);
      violated += judged[0]!.violations.length > 0 ? 1 : 0;
    }),
    { numRuns: 600 },
  );
  assert.ok(violated > 100, `only ${violated} of the altered logs are violated`);
});
