/*
 * Two verifiers on two cores against one: `s2lab verify` of two logs, one after the other and both at once, in wall time, each the least of
 * five. On a machine whose cores are busy with other work the figure says nothing; the note tells the load.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../bin/s2lab.mjs');
const ROUNDS = 5;

async function s2lab(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`s2lab ${args.join(' ')} ended with ${status}`);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

const folder = mkdtempSync(join(tmpdir(), 's2lab-scale-'));
try {
  const logs = [1, 2].map((seed) => join(folder, `${seed}.arrow`));
  for (const [i, log] of logs.entries()) await s2lab('record', 'migration', '--seed', String(i + 1), '-o', log);
  let one = Infinity;
  let two = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    one = Math.min(
      one,
      await seconds(async () => {
        for (const log of logs) await s2lab('verify', log);
      }),
    );
    two = Math.min(two, await seconds(() => Promise.all(logs.map((log) => s2lab('verify', log)))));
  }
  const note = `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`;
  console.log(
    JSON.stringify({
      name: 'two verifiers against one, files',
      value: Math.round((one / two) * 100) / 100,
      unit: '×',
      better: 'higher',
      target: 1.7,
      note,
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}
