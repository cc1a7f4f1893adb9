import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { K, UNLINK_CAUSE, copyRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { Verifier } from '@s2lab/invariants';
import { builtinScenarios } from '@s2lab/scenarios';
import { MachineView, TimelineError } from '@s2lab/timeline';
import { FileSink, openIndexedLog } from '@s2lab/transport-file';
import { LogCursor, LogSeeker, MemoryCheckpoints, Survey } from './index.ts';

const folder = await mkdtemp(join(tmpdir(), 's2lab-survey-'));
test.after(() => rm(folder, { recursive: true, force: true }));

const frames: readonly Frame[] = (() => {
  const { producer } = assembleFleet(builtinScenarios.get('migration')!, { seed: 4 });
  const made: Frame[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
    made.push({ ...frame, rows: copyRows(frame.rows) });
  return made;
})();
const total = frames.reduce((sum, { rows }) => sum + rows.length, 0);

const STORED = { pack: async (bytes: Uint8Array<ArrayBuffer>) => bytes, unpack: async (bytes: Uint8Array<ArrayBuffer>) => bytes };

async function written(name: string, kept: readonly Frame[]): Promise<string> {
  const path = join(folder, name);
  const sink = await FileSink.create(path);
  for (const frame of kept) await sink.write(frame);
  await sink.close();
  return path;
}

async function surveyed(path: string): Promise<{ seeker: LogSeeker; survey: Survey }> {
  const seeker = new LogSeeker(await openIndexedLog(path), () => {});
  const survey = new Survey(seeker, new MemoryCheckpoints(STORED), { maxViolations: 100 });
  while (await survey.step());
  return { seeker, survey };
}

test('one pass gives the verdict of the verifier and the sums of the columns', async () => {
  const { seeker, survey } = await surveyed(await written('whole.arrow', frames));
  const verifier = new Verifier({ log: seeker.log.path });
  for (const frame of frames) verifier.fold(frame);
  assert.deepEqual(survey.verdict(), verifier.finish());
  const overview = survey.overview(seeker.machines[0]!)!;
  const count = (matches: (frame: Frame, i: number) => boolean): number =>
    frames.reduce(
      (sum, frame) => sum + Array.from(frame.rows.kind.keys()).filter((i) => i < frame.rows.length && matches(frame, i)).length,
      0,
    );
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, n) => all + n, 0);
  assert.equal(
    sum(overview.faults),
    count(({ rows }, i) => rows.kind[i] === K.faultTaken),
  );
  assert.equal(
    sum(overview.collapses),
    count(({ rows }, i) => rows.kind[i] === K.tableUnlinked && rows.aux[i] === UNLINK_CAUSE.collapse),
  );
  assert.ok(sum(overview.collapses) > 0 && Math.max(...overview.pending) > 0);
  assert.equal(overview.at.length, Math.ceil(total / overview.width));
  assert.ok(overview.at.length <= 1024);
  await seeker.close();
});

test('violations are counted in the bucket of their event', async () => {
  const lost = 3;
  const { seeker, survey } = await surveyed(
    await written(
      'gap.arrow',
      frames.filter((_, i) => i !== lost),
    ),
  );
  const { violations } = survey.verdict();
  const overview = survey.overview(seeker.machines[0]!)!;
  const found = overview.violations.flatMap((n, i) => (n > 0 ? [i] : []));
  assert.deepEqual(found, [...new Set(violations.map(({ seq }) => Math.floor(seq / overview.width)))]);
  await seeker.close();
});

test('a cursor that steps anywhere, backwards too, shows what one pass from the first event shows', async () => {
  const { seeker } = await surveyed(await written('cursor.arrow', frames));
  const machine = seeker.machines[0]!;
  const cursor = new LogCursor(seeker);
  const far = Math.min(total - 1, 400_000);
  for (const seq of [5, far, far - 1, far - 2, far - 1500, far - 1501, far + 1, 70_000, 69_999, 65_536, 65_535, 12, total - 1]) {
    const once = new MachineView();
    for (const frame of frames) if (frame.firstSeq <= seq) once.fold(frame.rows, frame.firstSeq, seq);
    assert.deepEqual(await cursor.at(machine, seq), once, `event ${seq}`);
  }
  await assert.rejects(cursor.at(machine, total), TimelineError);
  assert.equal((await cursor.at(machine, 40)).nextSeq, 41);
  await seeker.close();
});

test('a log that grows is followed, and the survey goes on where it stood', async () => {
  const path = join(folder, 'growing.arrow');
  const sink = await FileSink.create(path);
  await sink.write(frames[0]!);
  const { seeker, survey } = await surveyed(path);
  assert.equal(survey.events, frames[0]!.rows.length);
  assert.equal(await seeker.grow(), false);
  for (const frame of frames.slice(1)) {
    await sink.write(frame);
    assert.equal(await seeker.grow(), true);
    while (await survey.step());
  }
  await sink.close();
  assert.equal(await seeker.grow(), false);
  assert.ok(seeker.log.closed && survey.complete);
  assert.equal(seeker.machines[0]!.events, total);
  assert.deepEqual(survey.verdict().cut, null);
  assert.equal(survey.events, total);
  await seeker.close();
});
