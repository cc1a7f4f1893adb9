import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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

/** Bytes of a log that surely hold a whole frame: a frame has at most some 0.6 MB. */
const WHOLE_FRAME_BYTES = 2 ** 20;

/** Starts an endless record and kills it `delayMs` after its log had `leastBytes`, however long the machine takes until then. */
async function killedRecord(path: string, leastBytes: number, delayMs: number): Promise<void> {
  const child = spawn(process.execPath, [BIN, 'record', 'demo', '-o', path], { stdio: 'ignore' });
  const closed = once(child, 'close');
  while ((!existsSync(path) || statSync(path).size < leastBytes) && child.exitCode === null) await pause(2);
  await pause(delayMs);
  child.kill('SIGKILL');
  await closed;
}

test(`s2lab record killed at ${KILLS} moments leaves logs that s2lab verify judges: whole frames hold, and no event is missing among them`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 's2lab-killed-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let events = 0;
  const kill = async (i: number): Promise<void> => {
    const path = join(dir, `${i}.arrow`);
    // Every other one from its first byte on, the rest when frames are there: those must give events, however slow the machine is.
    const late = i % 2 === 1;
    await killedRecord(path, late ? WHOLE_FRAME_BYTES : 0, Math.random() ** 2 * 1000);
    const { status, stdout, stderr } = await s2lab(['verify', path, '--json'], dir);
    const judged = JSON.parse(stdout === '' ? '{"verdict":"unreadable","events":0,"cut":null,"gaps":[]}' : stdout) as Judged;
    events += judged.events;
    assert.deepEqual(judged.gaps, [], path);
    if (late) assert.ok(judged.events > 0, `${path}: frames were recorded and none was read back`);
    if (judged.events > 0) assert.deepEqual([status, judged.verdict], [0, 'holds'], `${path}: ${stdout}${stderr}`);
    else assert.equal(status, 2, `${path}: a log without a whole frame is unreadable`);
  };
  for (let i = 0; i < KILLS; i += 2) await Promise.all([kill(i), kill(i + 1)]);
  t.diagnostic(`${events} events survived`);
  assert.ok(events > 0, `no event survived ${KILLS} kills`);
});
