import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EventColumns, KINDS, encodeEvent } from '@s2lab/events';
import { MachineView, SlotHistory, tableTrees, TimelineError, tlbOf, treeLines } from './index.ts';

const CODES = Object.values(KINDS).map(({ code }) => code);
const word = fc.oneof(fc.nat(600), fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }));
const row = fc.tuple(
  fc.constantFrom(...CODES),
  fc.nat(9),
  fc.integer({ min: -1, max: 4 }),
  fc.nat(600),
  fc.nat(6),
  word,
  word,
  word,
  word,
  word,
  word,
);

test('rows that no machine makes are shown as far as they go or refused by name, and never anything else', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      const columns = new EventColumns(rows.length + 3);
      encodeEvent(columns, { kind: 'machine-started', vcpus: 2, pageShift: 12 });
      encodeEvent(columns, { kind: 'table-allocated', table: 0, level: 1, root: 1 });
      encodeEvent(columns, { kind: 'stage2-created', root: 0, rootPages: 1, startLevel: 2, features: 0, ipaBits: 32 });
      for (const [kind, actor, level, slot, table, oldLo, oldHi, newLo, newHi, arg, aux] of rows)
        columns.append(kind, 1, actor, 1, 1, level, slot, table, oldLo, oldHi, newLo, newHi, Math.abs(oldLo) * 4096, arg, aux);
      const view = new MachineView();
      const history = new SlotHistory({ ipa: 0x4000_0000 });
      for (const folder of [view, history]) {
        try {
          folder.fold(columns, 0);
        } catch (error) {
          assert.ok(error instanceof TimelineError, String(error));
          assert.match(error.message, /^event \d+: [^\n]+$/);
        }
      }
      treeLines(tableTrees(view), 100);
      tlbOf(view, 0);
    }),
    { numRuns: 150 },
  );
});
