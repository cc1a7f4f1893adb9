import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { s2lab } from './spawned-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-conform-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const STOCK = fileURLToPath(new URL('../../../testdata/golden/stock/scripted-ia48.ps16.jsonl.gz', import.meta.url));

test('recordings that agree end with status 0, and --json is an array of what was compared', async () => {
  writeFileSync(join(dir, 'plain.jsonl'), gunzipSync(readFileSync(STOCK)));
  const { status, stdout } = await s2lab(['conform', STOCK, 'plain.jsonl', '--json'], dir);
  assert.equal(status, 0);
  const results = JSON.parse(stdout);
  assert.deepEqual(
    results.map(({ file, agreed, firstDifference }: Record<string, unknown>) => [file, agreed, firstDifference]),
    [
      [STOCK, true, null],
      ['plain.jsonl', true, null],
    ],
  );
  assert.ok(results[0].operations > 50 && results[0].events > 500);
  assert.equal(results[0].events, results[1].events);
});

test('a recording that differs ends with status 1 and shows operation, event, expected and got with the lines around', async () => {
  const altered = gunzipSync(readFileSync(STOCK)).toString().replace('{"e":"get","t":0,"c":2}', '{"e":"get","t":0,"c":3}');
  writeFileSync(join(dir, 'altered.jsonl'), altered);
  const { status, stdout } = await s2lab(['conform', 'altered.jsonl', STOCK], dir);
  assert.equal(status, 1);
  assert.match(stdout, /altered\.jsonl: differs/);
  assert.match(stdout, /operation 1 map, line \d+\n +event +\{"e":"get","t":0,"c":3\}\n +expected get t=0 c=3\n +got +get t=0 c=2\n/);
  assert.match(stdout, /\n +> \d+: \{"e":"get","t":0,"c":3\}\n/);
  assert.match(stdout, /1 of 2 recordings agree/);
});

test('what is no recording, and a recording of neither library nor hypervisor, end in one clear line and status 2', async () => {
  writeFileSync(join(dir, 'words.jsonl'), 'hello\n');
  writeFileSync(join(dir, 'neither.jsonl'), '{"trace":1,"kernel":"v7.2.13","files":[],"page_shift":12,"script":"x"}\n{"end":1}\n');
  for (const [file, says] of [
    ['words.jsonl', /words\.jsonl: recording, line 1: not JSON/],
    ['neither.jsonl', /neither\.jsonl: recording, line 1: .*mem_protect/],
  ] as const) {
    const { status, stdout, stderr } = await s2lab(['conform', file], dir);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^s2lab: [^\n]+\n$/);
    assert.match(stderr, says);
  }
});
