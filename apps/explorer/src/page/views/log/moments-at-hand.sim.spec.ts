import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { stateFromJson } from '@s2lab/stage2-map';
import { FileSink } from '@s2lab/transport-file';
import type { LogOracle, MomentsQuestion } from '../../../log/answers.ts';
import { LogFile } from '../../../log/log-file.ts';
import type { Aspect } from './moments-at-hand.ts';
import { MomentsAtHand } from './moments-at-hand.ts';

const folder = await mkdtemp(join(tmpdir(), 's2lab-at-hand-'));
const path = join(folder, 'smoke.arrow');
const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 3 });
const sink = await FileSink.create(path);
for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) await sink.write(frame);
await sink.close();
const log = await LogFile.open(path, { tell: (line) => assert.fail(line) });
const last = (await log.ask('about', {})).machines[0]!.events - 1;
test.after(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

/** An oracle that notes for which moments it was asked. */
function noted(): { readonly oracle: LogOracle; readonly asked: MomentsQuestion[]; readonly settled: () => Promise<void> } {
  const asked: MomentsQuestion[] = [];
  let onWay = 0;
  const oracle: LogOracle = {
    ask: async (question, what) => {
      if (question === 'moments') asked.push(what as MomentsQuestion);
      onWay += 1;
      try {
        return await log.ask(question, what);
      } finally {
        onWay -= 1;
      }
    },
  };
  const settled = async (): Promise<void> => {
    do await new Promise((resolve) => setTimeout(resolve, 0));
    while (onWay > 0);
  };
  return { oracle, asked, settled };
}

const ASPECT: Aspect = { machine: 0, open: [] };

for (const by of [1, -1])
  test(`steps ${by > 0 ? 'forwards' : 'backwards'} are at hand before they are asked for, and are what the log holds, map and all`, async () => {
    const { oracle, asked, settled } = noted();
    const atHand = new MomentsAtHand(oracle);
    let seq = 1200;
    await atHand.fetch(ASPECT, seq);
    let missed = 0;
    for (let step = 0; step < 120; step += 1) {
      atHand.bringNext(ASPECT, seq, by, last);
      await settled();
      seq += by;
      if (atHand.known(ASPECT, seq) === undefined) missed += 1;
      const { moment, map } = atHand.known(ASPECT, seq) ?? (await atHand.fetch(ASPECT, seq));
      const alone = await log.ask('moment', { ...ASPECT, seq });
      assert.deepEqual({ ...moment, map: null, sameLevels: null }, { ...alone, map: null, sameLevels: null });
      assert.deepEqual(map, stateFromJson(alone.map), `map of event ${seq}`);
    }
    assert.equal(missed, 0);
    assert.ok(asked.length <= 12, `${asked.length} questions for 120 steps`);
    atHand.end();
  });

test('a bounded number of moments is kept, and none of another aspect', async () => {
  const { oracle, settled } = noted();
  const atHand = new MomentsAtHand(oracle);
  let seq = 300;
  await atHand.fetch(ASPECT, seq);
  for (let step = 0; step < 200; step += 1, seq += 1) {
    atHand.bringNext(ASPECT, seq, 1, last);
    if (atHand.known(ASPECT, seq + 1) === undefined) await settled();
  }
  const kept = Array.from({ length: last + 1 }, (_, i) => i).filter((at) => atHand.known(ASPECT, at) !== undefined);
  assert.ok(kept.length <= 64 && kept.includes(seq), `${kept.length} kept, from ${kept[0]} to ${kept.at(-1)}`);
  const closer: Aspect = { ...ASPECT, from: 0, to: 2 ** 31 };
  assert.equal(atHand.known(closer, seq), undefined);
  await atHand.fetch(closer, seq);
  assert.equal(atHand.known(ASPECT, seq), undefined);
  atHand.end();
});

test('who jumps along the log asks for the places and nothing else, until resting at one', async () => {
  const { oracle, asked, settled } = noted();
  const atHand = new MomentsAtHand(oracle);
  for (let seq = 100; seq < 1100; seq += 100) {
    await atHand.fetch(ASPECT, seq);
    atHand.bringNext(ASPECT, seq, 100, last);
  }
  assert.deepEqual(
    asked.map(({ seq, count }) => [seq, count]),
    Array.from({ length: 10 }, (_, i) => [100 * (i + 1), 1]),
  );
  while (atHand.known(ASPECT, 1001) === undefined) await settled();
  assert.notEqual(atHand.known(ASPECT, 999), undefined);
  assert.equal(asked.length, 11);
  atHand.end();
});

test('an event that is not there is an error for whoever goes there, not for whoever might', async () => {
  const { oracle, settled } = noted();
  const atHand = new MomentsAtHand(oracle);
  await assert.rejects(atHand.fetch(ASPECT, last + 5), /the log has no event/);
  await atHand.fetch(ASPECT, last);
  atHand.bringNext(ASPECT, last, 1, last);
  await settled();
  assert.equal(atHand.known(ASPECT, last)?.moment.seq, last);
  atHand.end();
});
