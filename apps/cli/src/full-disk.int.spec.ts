import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BIN, s2lab } from './spawned-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-full-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** `s2lab record migration -o LOG` where no file may grow beyond so many blocks of 512 bytes: the write that would fails, as on a full disk. */
function recordWithin(blocks: number, log: string): { readonly status: number | null; readonly stderr: string } {
  const limited = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`;
  const { status, stderr } = spawnSync('sh', ['-c', limited, 'sh', process.execPath, BIN, 'record', 'migration', '--json', '-o', log], {
    cwd: dir,
    encoding: 'utf8',
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }, // it would be cut off as well
  });
  return { status, stderr };
}

test('a disk that fills up ends a recording with one line, and the log holds every event before', async () => {
  const { status, stderr } = recordWithin(1600, 'full.arrow');
  assert.notEqual(status, 0);
  assert.match(stderr, /^s2lab: log full\.arrow: the frame of machine 0 from event \d+ on cannot be written at byte \d+ [^\n]*\n$/);
  const verified = await s2lab(['verify', 'full.arrow', '--json'], dir);
  const verdict = JSON.parse(verified.stdout) as { verdict: string; events: number; gaps: unknown[] };
  assert.equal(verdict.verdict, 'holds', verified.stdout);
  assert.deepEqual(verdict.gaps, []);
  assert.ok(verdict.events > 10_000);
});

test('a log whose first bytes do not fit is not left behind', () => {
  const { status, stderr } = recordWithin(1, 'none.arrow');
  assert.notEqual(status, 0);
  assert.match(stderr, /^s2lab: log none\.arrow: its header cannot be written [^\n]*\n$/);
  assert.equal(existsSync(join(dir, 'none.arrow')), false);
});
