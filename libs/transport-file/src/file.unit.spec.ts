import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { assertSameStream, interleavedFrames, readAll, transportContract } from '@s2lab/testkit';
import { LogFileError } from '@s2lab/frame';
import { FileSink, FileSource } from './index.ts';

async function temporaryLog(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'run.arrow');
}

transportContract('file', async (t) => {
  const path = await temporaryLog(t);
  const sink = await FileSink.create(path);
  return { sink, source: () => FileSource.open(path), discard: () => sink.close() };
});

test('a file that exists is not overwritten unless that was said', async (t) => {
  const path = await temporaryLog(t);
  await writeFile(path, 'precious');
  await assert.rejects(
    FileSink.create(path),
    (error: Error) => error instanceof LogFileError && error.message.includes(`${path}: exists already`),
  );
  assert.equal(await readFile(path, 'utf8'), 'precious');
  const sink = await FileSink.create(path, { overwrite: true });
  await sink.close();
  assert.deepEqual(await readAll(await FileSource.open(path)), []);
});

test('the description of the run is read back, and whether the log was closed', async (t) => {
  const path = await temporaryLog(t);
  const description = JSON.stringify({ scenario: 'migration', seed: 7, note: 'ünïcode' });
  const sink = await FileSink.create(path, { description });
  for (const closed of [false, true]) {
    if (closed) await sink.close();
    const source = await FileSource.open(path);
    assert.equal(source.description, description);
    assert.equal(source.closed, closed);
    await source.close();
  }
});

test('two recordings of the same frames are the same bytes', async (t) => {
  const contents: Buffer[] = [];
  for (const name of ['a', 'b']) {
    const path = `${await temporaryLog(t)}.${name}`;
    const sink = await FileSink.create(path);
    for (const frame of interleavedFrames(3, 4, 500)) await sink.write(frame);
    await sink.close();
    contents.push(await readFile(path));
  }
  assert.ok(contents[0]!.equals(contents[1]!));
});

test('a file that is no log, or none at all, is refused with one line that names it', async (t) => {
  const path = await temporaryLog(t);
  await assert.rejects(
    FileSource.open(path),
    (error: Error) => error instanceof LogFileError && /cannot be opened \(ENOENT/.test(error.message),
  );
  for (const [content, reason] of [
    ['{"json": true}', 'does not begin like an Arrow file'],
    ['ARROW1\0\0no schema follows', 'no schema follows the magic'],
    [Buffer.concat([Buffer.from('ARROW1\0\0'), Buffer.from([255, 255, 255, 255, 16, 0, 0, 0]), Buffer.alloc(64, 0x41)]), 'schema'],
  ] as const) {
    await writeFile(path, content);
    await assert.rejects(
      FileSource.open(path),
      (error: Error) => error instanceof LogFileError && error.message.includes(reason) && !error.message.includes('\n'),
    );
  }
});

test('a log of another schema version is refused, and the answer names both versions', async (t) => {
  const path = await temporaryLog(t);
  await (await FileSink.create(path)).close();
  const bytes = await readFile(path);
  const version = bytes.indexOf(Buffer.from([1, 0, 0, 0, '1'.charCodeAt(0), 0]));
  assert.ok(version > 0);
  bytes[version + 4] = '8'.charCodeAt(0);
  await writeFile(path, bytes);
  await assert.rejects(FileSource.open(path), /schema version 8, this program reads 1/);
});

/** Writes frames until one fails; says how many were written, what the error was, and what a second try said. */
const WRITE_UNTIL_FULL = `
  import { FileSink } from '@s2lab/transport-file';
  import { interleavedFrames } from '@s2lab/testkit';
  process.on('SIGXFSZ', () => {});
  const sink = await FileSink.create(process.argv[1]);
  let written = 0;
  let error, again, closing;
  for (const frame of interleavedFrames(2, 40, 400)) {
    try { await sink.write(frame); written += 1; } catch (cause) { error ??= cause.message; again = cause.message; }
  }
  await sink.close().catch((cause) => { closing = cause.message; });
  console.log(JSON.stringify({ written, error, again, closing }));
`;

test('when the disk is full the write fails in one line, and the log holds every frame whose write resolved', async (t) => {
  const path = await temporaryLog(t);
  const child = spawnSync(
    'bash',
    ['-c', 'ulimit -f 200; exec "$0" --input-type=module -e "$1" "$2"', process.execPath, WRITE_UNTIL_FULL, path],
    {
      cwd: new URL('..', import.meta.url),
      encoding: 'utf8',
    },
  );
  assert.equal(child.status, 0, child.stderr);
  const { written, error, again } = JSON.parse(child.stdout) as { written: number; error: string; again: string };
  assert.ok(written > 0 && written < 80);
  assert.match(
    error,
    /run\.arrow: the frame of machine \d from event \d+ on cannot be written at byte \d+ \(EFBIG[^\n]*\); the log ends with the \d+ frames before it$/,
  );
  assert.equal(again, error, 'later writes fail alike, so that nothing is kept out of order');
  assertSameStream(await readAll(await FileSource.open(path)), interleavedFrames(2, 40, 400).slice(0, written));
  assert.ok((await stat(path)).size <= 200 * 1024);
});
