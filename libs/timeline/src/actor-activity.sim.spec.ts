import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyRows, sliceRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { ActorActivity } from './index.ts';

test('rows folded at once leave every actor where rows folded one by one do, however the log is cut', () => {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 9 });
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    const rows = copyRows(frame.rows);
    for (const piece of [1, 7, 100, rows.length]) {
      // One actor fewer than the machine has: the rest is passed over.
      const [each, all] = [new ActorActivity(5), new ActorActivity(5)];
      for (let from = 0; from < rows.length; from += piece) {
        const cut = sliceRows(rows, from, Math.min(rows.length, from + piece));
        for (let i = 0; i < cut.length; i += 1) each.fold(cut, i, frame.firstSeq + from + i);
        all.foldAll(cut, frame.firstSeq + from);
        for (let actor = 0; actor < 5; actor += 1) assert.deepEqual(all.of(actor), each.of(actor), `rows ${from} to ${from + piece}`);
      }
    }
  }
});
