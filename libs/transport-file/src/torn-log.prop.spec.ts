import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Damage, Frame } from '@s2lab/events';
import { copyRows, isDamage } from '@s2lab/events';
import { assertSameStream, interleavedFrames, readAll } from '@s2lab/testkit';
import { FileSink, FileSource, repairLog } from './index.ts';

const frames = interleavedFrames(2, 3, 12);

interface Recorded {
  readonly path: string;
  readonly bytes: Buffer;
  /** Byte at which frame i begins; the last entry is the end of the last frame. */
  readonly starts: readonly number[];
}

async function record(t: TestContext, frames: readonly Frame[]): Promise<Recorded> {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-torn-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.arrow');
  const sink = await FileSink.create(path);
  const starts = [sink.byteCount];
  for (const frame of frames) {
    await sink.write(frame);
    starts.push(sink.byteCount);
  }
  await sink.close();
  return { path, bytes: await readFile(path), starts };
}

async function readItems(path: string): Promise<{ whole: Frame[]; damages: Damage[] }> {
  const whole: Frame[] = [];
  const damages: Damage[] = [];
  const source = await FileSource.open(path);
  for await (const item of source.frames()) {
    if (isDamage(item)) damages.push(item);
    else whole.push({ ...item, rows: copyRows(item.rows) });
  }
  await source.close();
  return { whole, damages };
}

test('a log cut at any byte of its last frame gives the frames before, and says where and how much was cut', async (t) => {
  // Few frames, as thousands of logs are read; the last has columns that are compressed and columns that are not.
  const pair = interleavedFrames(1, 2, 40);
  const { path, bytes, starts } = await record(t, pair);
  const [last, end] = starts.slice(-2) as [number, number];
  for (let cut = last; cut < end; cut += 1) {
    await writeFile(path, bytes.subarray(0, cut));
    const { whole, damages } = await readItems(path);
    assertSameStream(whole, pair.slice(0, 1));
    if (cut === last) {
      assert.deepEqual(damages, []);
      continue;
    }
    assert.equal(damages.length, 1, `cut at ${cut}`);
    assert.equal(damages[0]!.damage, 'torn');
    assert.equal(damages[0]!.where, `${path}, byte ${last}`);
    assert.ok(damages[0]!.because.endsWith(`the last ${cut - last} bytes of the log were cut`), damages[0]!.because);
  }
});

test('a log cut within its header is torn, not an error', async (t) => {
  const { path, bytes, starts } = await record(t, frames);
  for (let cut = 0; cut < starts[0]!; cut += 97) {
    await writeFile(path, bytes.subarray(0, cut));
    const { whole, damages } = await readItems(path);
    assert.deepEqual(whole, []);
    assert.deepEqual(
      damages.map(({ damage }) => damage),
      ['torn'],
    );
  }
});

test('a log cut within its footer gives all frames', async (t) => {
  const { path, bytes, starts } = await record(t, frames);
  for (let cut = starts.at(-1)!; cut < bytes.byteLength; cut += 13) {
    await writeFile(path, bytes.subarray(0, cut));
    assertSameStream((await readItems(path)).whole, frames);
  }
});

test('a byte changed anywhere in a frame is told, and the other frames are read', async (t) => {
  const { path, bytes, starts } = await record(t, frames);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(frames.length - 1),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.integer({ min: 1, max: 255 }),
      async (index, position, mask) => {
        const from = starts[index]!;
        const at = from + Math.floor(position * (starts[index + 1]! - from));
        const changed = Buffer.from(bytes);
        changed[at]! ^= mask;
        await writeFile(path, changed);
        const { whole, damages } = await readItems(path);
        assert.equal(damages.length, 1);
        assert.equal(damages[0]!.where, `${path}, byte ${from}`);
        assert.equal(damages[0]!.damage, 'corrupt');
        const lengthsHold = whole.length === frames.length - 1;
        const expected = lengthsHold ? frames.filter((_, i) => i !== index) : frames.slice(0, index);
        assert.equal(whole.length, expected.length);
        whole.forEach((frame, i) => assertSameStream([frame], [expected[i]!]));
        // Only a changed length may hide where the next frame begins: the prefix, and where the header leads to the body's length.
        if (!lengthsHold) assert.ok(at < from + 512, `byte ${at - from} of the frame`);
      },
    ),
    { numRuns: 300 },
  );
});

test('a repaired log is whole: closed, with every frame before the cut, and no damage', async (t) => {
  const { path, bytes, starts } = await record(t, frames);
  await writeFile(path, bytes.subarray(0, starts.at(-1)! - 5));
  const repair = await repairLog(path);
  assert.equal(repair.frames, frames.length - 1);
  assert.equal(repair.cutBytes, starts.at(-1)! - 5 - starts.at(-2)!);
  assert.deepEqual(
    repair.damages.map(({ damage }) => damage),
    ['torn'],
  );
  const source = await FileSource.open(path);
  assert.ok(source.closed);
  assertSameStream(await readAll(source), frames.slice(0, -1));
  const whole = await readFile(path);
  assert.deepEqual(await repairLog(path), { frames: frames.length - 1, cutBytes: 0, damages: [] });
  assert.ok(whole.equals(await readFile(path)), 'a whole log stays as it is');
});
