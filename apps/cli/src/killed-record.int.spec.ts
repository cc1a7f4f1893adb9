import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { BIN, s2lab } from './spawned-cli.ts';

const KILLS = 50;

interface Judged {
  readonly verdict: string;
  readonly events: number;
  readonly cut: string | null;
  readonly gaps: readonly unknown[];
}

/** Starts an endless record and kills it after `delayMs`. Returns whether there is a log at all. */
async function killedRecord(path: string, delayMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [BIN, 'record', 'demo', '-o', path], { stdio: 'ignore' });
  setTimeout(() => child.kill('SIGKILL'), delayMs);
  await once(child, 'close');
  return existsSync(path);
}

test(`s2lab record killed at ${KILLS} moments leaves logs that s2lab verify judges: whole frames hold, and no event is missing among them`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 's2lab-killed-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let events = 0;
  let logs = 0;
  const kill = async (i: number): Promise<void> => {
    const path = join(dir, `${i}.arrow`);
    // From before the first frame, a program start, to several seconds of events into the log.
    if (!(await killedRecord(path, 100 + Math.random() * 1200))) return;
    const { status, stdout, stderr } = await s2lab(['verify', path, '--json'], dir);
    const judged = JSON.parse(stdout === '' ? '{"verdict":"unreadable","events":0,"cut":null,"gaps":[]}' : stdout) as Judged;
    logs += 1;
    events += judged.events;
    assert.deepEqual(judged.gaps, [], path);
    if (judged.events > 0) assert.deepEqual([status, judged.verdict], [0, 'holds'], `${path}: ${stdout}${stderr}`);
    else assert.equal(status, 2, `${path}: a log without a whole frame is unreadable`);
  };
  for (let i = 0; i < KILLS; i += 2) await Promise.all([kill(i), kill(i + 1)]);
  t.diagnostic(`${logs} logs, ${events} events`);
  assert.ok(logs > KILLS / 2, `only ${logs} of ${KILLS} records had begun their log`);
  assert.ok(events > 1_000_000, `only ${events} events survived ${KILLS} kills`);
});
