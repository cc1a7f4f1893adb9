import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isDamage } from '@s2lab/events';
import { assertSameFrame, interleavedFrames } from '@s2lab/testkit';
import { FileSource } from './index.ts';

const KILLS = 50;
const MACHINES = 3;
const EACH = 500;
const ROWS_MAX = 60;

/** Records frames as fast as it can and says the number of each one after its write resolved. */
const RECORD = `
  import { writeSync } from 'node:fs';
  import { FileSink } from '@s2lab/transport-file';
  import { interleavedFrames } from '@s2lab/testkit';
  const frames = interleavedFrames(${MACHINES}, ${EACH}, ${ROWS_MAX});
  const sink = await FileSink.create(process.argv[1]);
  writeSync(1, 'ready\\n');
  for (let i = 0; i < frames.length; i += 1) {
    await sink.write(frames[i]);
    writeSync(1, i + '\\n');
  }
  await new Promise(() => setInterval(() => {}, 1000));
`;

/** Starts a recording, kills it `delayMs` after it became ready, and returns how many writes it said were done. */
async function recordUntilKilled(path: string, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', RECORD, path], {
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    if (said === '') setTimeout(() => child.kill('SIGKILL'), delayMs);
    said += text;
  });
  await once(child, 'close');
  const lines = said.split('\n').filter((line) => /^\d+$/.test(line));
  return lines.length === 0 ? 0 : Number(lines.at(-1)) + 1;
}

test(`a recording killed at ${KILLS} moments gives back every frame whose write resolved, and nothing that was torn`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-kill-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const expected = interleavedFrames(MACHINES, EACH, ROWS_MAX);
  let torn = 0;
  let recorded = 0;
  const kill = async (i: number): Promise<void> => {
    const path = join(folder, `${i}.arrow`);
    const acknowledged = await recordUntilKilled(path, Math.random() * 120);
    const source = await FileSource.open(path);
    let frames = 0;
    for await (const item of source.frames()) {
      if (isDamage(item)) {
        assert.equal(item.damage, 'torn', item.because);
        torn += 1;
        continue;
      }
      assertSameFrame(item, expected[frames]!);
      frames += 1;
    }
    await source.close();
    assert.ok(frames >= acknowledged, `kill ${i}: ${acknowledged} writes resolved, ${frames} frames were read`);
    assert.ok(frames <= acknowledged + 1, 'at most the one frame in flight is there without having been acknowledged');
    recorded += frames;
  };
  for (let i = 0; i < KILLS; i += 2) await Promise.all([kill(i), kill(i + 1)]);
  assert.ok(recorded > KILLS, 'the kills came in the midst of recording');
  t.diagnostic(`${recorded} frames recorded over ${KILLS} kills, ${torn} torn tails cut`);
});
