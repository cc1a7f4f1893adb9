import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { K, copyRows, decodeEvent, sliceRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { activityText, MachineView, TimelineError } from '@s2lab/timeline';
import { FileSink } from '@s2lab/transport-file';
import type { Moment } from './answers.ts';
import { LogFile, LogOnDemand } from './log-file.ts';

const folder = await mkdtemp(join(tmpdir(), 's2lab-desk-'));
const path = join(folder, 'smoke.arrow');

/** The smoke scenario in short frames, so that questions cross their borders. */
const frames: readonly Frame[] = await (async () => {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 3 });
  const made: Frame[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    for (let from = 0; from < frame.rows.length; from += 700)
      made.push({
        ...frame,
        firstSeq: frame.firstSeq + from,
        rows: copyRows(sliceRows(frame.rows, from, Math.min(from + 700, frame.rows.length))),
      });
  }
  const sink = await FileSink.create(path);
  for (const frame of made) await sink.write(frame);
  await sink.close();
  return made;
})();
const total = frames.reduce((sum, { rows }) => sum + rows.length, 0);
const log = await LogFile.open(path, { tell: (line) => assert.fail(line) });
test.after(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a column holds at every event. */
function column(name: 'kind' | 'actor' | 'table' | 'slot'): number[] {
  return frames.flatMap(({ rows }) => Array.from(rows[name].subarray(0, rows.length)));
}

test('a moment is the machine of one pass, in words, and says what its event wrote', async () => {
  const view = new MachineView();
  for (let seq = 0; seq < total; seq += 1 + Math.floor(total / 60)) {
    for (const { rows, firstSeq } of frames) if (firstSeq <= seq) view.fold(rows, firstSeq, seq);
    const moment = await log.ask('moment', { machine: 0, seq, open: [] });
    assert.deepEqual(
      moment.actors.map(({ text }) => text),
      Array.from({ length: view.vcpus + 2 }, (_, actor) => activityText(view.actors.of(actor))),
    );
    assert.equal(moment.map.tables, view.world?.pages.live ?? 0);
    assert.deepEqual(moment.pending, view.pending.list());
    const frame = frames.findLast(({ firstSeq }) => firstSeq <= seq)!;
    const event = decodeEvent(frame.rows, seq - frame.firstSeq, seq, 0);
    const writes = 'new' in event && 'table' in event && event.kind !== 'descriptor-swap-failed';
    assert.equal(moment.change !== null, writes, event.kind);
    if (moment.change !== null) {
      const shown = JSON.stringify(moment.tree);
      assert.ok(shown.includes(`"table":${moment.change.table}`), `the tree is open at the write of event ${seq}`);
    }
  }
});

test('a map that is not sent again because nothing changed is the map that would have been sent', async () => {
  let had: Moment | undefined;
  let kept = 0;
  for (let seq = 600; seq < 2200; seq += 7) {
    const whole = await log.ask('moment', { machine: 0, seq, open: [] });
    const asked = { machine: 0, seq, open: [], mapSeq: had?.seq, mapVmid: had?.vmid ?? undefined };
    const brief = await log.ask('moment', asked);
    if (brief.sameLevels) {
      kept += 1;
      assert.deepEqual(had!.map.levels, whole.map.levels, `from event ${had!.seq} to ${seq}`);
      assert.deepEqual(brief.map.walkers, whole.map.walkers);
    } else assert.deepEqual(brief.map, whole.map);
    had = whole;
  }
  assert.ok(kept > 20, `${kept} maps were kept`);
});

test('find goes to the nearest event that is asked for, in both directions, across frames', async () => {
  const kinds = column('kind');
  const actors = column('actor');
  const tables = column('table');
  const slots = column('slot');
  const seqs = [...kinds.keys()];
  const freed = seqs.filter((seq) => kinds[seq] === K.tableFreed);
  assert.ok(freed.length > 0);
  const find = async (asked: object): Promise<number | null> =>
    (await log.ask('find', { machine: 0, from: 0, backwards: false, ...asked })).seq;
  assert.equal(await find({ where: 'kind=table-freed' }), freed[0]);
  assert.equal(await find({ where: 'kind=table-freed', from: total - 1, backwards: true }), freed.at(-1));
  for (const from of [0, 699, 700, 1401, total - 1]) {
    assert.equal(await find({ actor: 2, from }), seqs.find((seq) => seq >= from && actors[seq] === 2) ?? null);
    assert.equal(await find({ actor: 2, from, backwards: true }), seqs.findLast((seq) => seq <= from && actors[seq] === 2) ?? null);
  }
  const isWrite = (seq: number): boolean => kinds[seq]! >= 31 && kinds[seq]! <= 35 && kinds[seq] !== K.descriptorSwapFailed;
  const write = seqs.find((seq) => seq > 900 && isWrite(seq))!;
  const slot = { table: tables[write]!, slot: slots[write]! };
  assert.equal(await find({ slot, from: write }), write);
  assert.equal(
    await find({ slot, from: write - 1, backwards: true }),
    seqs.findLast((seq) => seq < write && isWrite(seq) && tables[seq] === slot.table && slots[seq] === slot.slot) ?? null,
  );
  await assert.rejects(log.ask('find', { machine: 0, from: 0, backwards: false, where: 'kind=nothing' }), TimelineError);
});

test('a window has the events in order, and spans that agree with what actors do at any of them', async () => {
  const from = 1350;
  const window = await log.ask('window', { machine: 0, from, to: 1500 });
  assert.deepEqual(window.kind, column('kind').slice(from, 1500));
  assert.deepEqual(window.actor, column('actor').slice(from, 1500));
  for (let seq = from; seq < 1500; seq += 5) {
    const { actors } = await log.ask('moment', { machine: 0, seq, open: [] });
    for (const { actor, text } of actors) {
      const locks = window.spans.some((span) => span.actor === actor && span.kind === 'lock' && span.from <= seq && seq < span.to);
      assert.equal(/holds the MMU lock/.test(text), locks || endsHolding(window.spans, actor, seq), `event ${seq}, ${text}`);
    }
  }

  function endsHolding(spans: typeof window.spans, actor: number, seq: number): boolean {
    return spans.some((span) => span.actor === actor && span.kind === 'lock' && span.to === 1499 && seq === 1499);
  }
});

test('a log of a lab is opened when somebody asks, and the next one takes its place', async () => {
  const other = join(folder, 'other.arrow');
  const sink = await FileSink.create(other);
  await sink.write(frames[0]!);
  let latest = { path, growing: () => false };
  const demand = new LogOnDemand(() => latest);
  assert.equal((await demand.ask('about', {})).machines[0]?.events, total);
  latest = { path: other, growing: () => true };
  const about = await demand.ask('about', {});
  assert.equal(about.name, other);
  assert.equal(about.machines[0]?.events, 700);
  await sink.write(frames[1]!);
  while ((await demand.ask('about', {})).machines[0]?.events !== 1400) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await demand.ask('moment', { machine: 0, seq: 1399, open: [] })).seq, 1399);
  await sink.close();
  await demand.close();
});
