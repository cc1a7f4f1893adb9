import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isDamage } from '@s2lab/events';
import { assertSameStream, interleavedFrames } from '@s2lab/testkit';
import { FileSink, openIndexedLog } from './index.ts';

const frames = interleavedFrames(3, 4, 50);

async function recorded(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-indexed-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.arrow');
  const sink = await FileSink.create(path);
  for (const frame of frames) await sink.write(frame);
  await sink.close();
  return path;
}

test('an indexed log lists all frames as they were written and reads each on its own, in any order', async (t) => {
  const log = await openIndexedLog(await recorded(t));
  t.after(() => log.close());
  assert.deepEqual(
    log.frames.map(({ run, machine, firstSeq, count }) => ({ run, machine, firstSeq, count })),
    frames.map(({ origin, firstSeq, rows }) => ({ run: origin.run, machine: origin.machine, firstSeq, count: rows.length })),
  );
  assert.deepEqual(log.damages, []);
  for (const i of [frames.length - 1, 0, 5]) {
    const frame = await log.read(log.frames[i]!);
    assert.ok(!isDamage(frame));
    assertSameStream([frame], [frames[i]!]);
  }
});

test('a changed byte in a frame is told when the frame is read', async (t) => {
  const path = await recorded(t);
  const log = await openIndexedLog(path);
  await log.close();
  const bytes = await readFile(path);
  const body = log.frames[4]!.offset + log.frames[4]!.bytes - 9;
  bytes[body]! ^= 1;
  await writeFile(path, bytes);
  const changed = await openIndexedLog(path);
  t.after(() => changed.close());
  const item = await changed.read(changed.frames[4]!);
  assert.ok(isDamage(item) && item.damage === 'corrupt');
});

test('a log cut in its last frame has the others in its index, another checksum, and says what was cut', async (t) => {
  const path = await recorded(t);
  const whole = await openIndexedLog(path);
  await whole.close();
  const last = whole.frames.at(-1)!;
  const bytes = await readFile(path);
  for (const cut of [1, 9, last.bytes - 1]) {
    await writeFile(path, bytes.subarray(0, last.offset + cut));
    const log = await openIndexedLog(path);
    assert.equal(log.frames.length, frames.length - 1);
    assert.notEqual(log.checksum, whole.checksum);
    assert.equal(log.damages[0]?.damage, 'torn');
    assert.match(log.damages[0].because, new RegExp(`the last ${cut} bytes of the log were cut`));
    await log.close();
  }
});
