import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { FuzzRandom, mutateBytes, mutateText } from './mutation.ts';
import { TARGETS } from './targets.ts';

test('hostile input neither crashes nor hangs anything that reads from outside: a small run of each target', (t) => {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), '--inputs', '2000', '--seed', '77'], { encoding: 'utf8' });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  const rows = run.stdout.split('\n').filter((line) => line.startsWith('| ') && line.endsWith(' none |'));
  assert.deepEqual(
    rows.map((row) => row.split(' | ')[0]!.slice(2)),
    TARGETS.map(({ name }) => name),
  );
  t.diagnostic(run.stdout);
});

test('an input is the same for the same seed, and inputs differ', () => {
  const texts = Array.from({ length: 50 }, (_, seed) =>
    mutateText(new FuzzRandom(seed), ['(lock (id 0) (tid 0) (address 40) (src "a:1"))']),
  );
  assert.deepEqual(
    texts,
    texts.map((_, seed) => mutateText(new FuzzRandom(seed), ['(lock (id 0) (tid 0) (address 40) (src "a:1"))'])),
  );
  assert.ok(new Set(texts).size > 30);
  const seed = Uint8Array.from({ length: 64 }, (_, i) => i);
  assert.notDeepEqual(mutateBytes(new FuzzRandom(1), [seed]), mutateBytes(new FuzzRandom(2), [seed]));
});
