/*
 * Two verifiers on two cores against one: `s2lab verify` of two logs of ten million events, one after the other and both at once, in wall
 * time, each the least of five. The logs are as long as that so that judging is measured, and not the start of a process. On a machine
 * whose cores are busy with other work the figure says nothing: the note tells the load before, and a second figure how much more processor
 * time the work took when both judged at once (1: neither hindered the other).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { FileSink } from '@s2lab/transport-file';
import { writeMigrations } from './migrations.ts';

const BIN = join(import.meta.dirname, '../bin/s2lab.mjs');
const ROUNDS = 5;
/** Machines of a log, 1.3 million events each. */
const MACHINES = 8;
/** A process tells its processor time, microseconds, when it ends. */
const TELL_CPU = `data:text/javascript,
  import { writeSync } from 'node:fs';
  process.on('exit', () => { const { user, system } = process.cpuUsage(); writeSync(3, String(user + system)); });`;

/** Verifies a log; returns the processor time that it took, seconds. */
async function verify(log: string): Promise<number> {
  const child = spawn(process.execPath, ['--import', TELL_CPU, BIN, 'verify', log], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const [micros, [status]] = await Promise.all([text(child.stdio[3] as Readable), once(child, 'exit')]);
  if (status !== 0) throw new Error(`s2lab verify ${log} ended with ${status}`);
  return Number(micros) / 1e6;
}

/** Wall time and processor time of verifying the logs, seconds: the least of each over the rounds. */
class Least {
  wall = Infinity;
  cpu = Infinity;

  async take(work: () => Promise<readonly number[]>): Promise<void> {
    const begun = performance.now();
    const used = await work();
    this.wall = Math.min(this.wall, (performance.now() - begun) / 1000);
    this.cpu = Math.min(
      this.cpu,
      used.reduce((sum, seconds) => sum + seconds, 0),
    );
  }
}

function report(name: string, value: number, better: 'higher' | 'lower', more: Readonly<Record<string, number | string>>): void {
  console.log(JSON.stringify({ name, value: Math.round(value * 100) / 100, unit: '×', better, ...more }));
}

const folder = mkdtempSync(join(tmpdir(), 's2lab-scale-'));
try {
  const logs = [0, 1].map((n) => join(folder, `${n}.arrow`));
  for (const [n, log] of logs.entries()) {
    const sink = await FileSink.create(log);
    await writeMigrations(n * MACHINES, (n + 1) * MACHINES, (frame) => sink.write(frame));
    await sink.close();
  }
  const note = `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores before`;
  const one = new Least();
  const two = new Least();
  for (let round = 0; round < ROUNDS; round += 1) {
    await one.take(async () => [await verify(logs[0]!), await verify(logs[1]!)]);
    await two.take(() => Promise.all(logs.map(verify)));
  }
  report('two verifiers against one, files', one.wall / two.wall, 'higher', { target: 1.7, note });
  report('processor time of two verifiers at once against one after the other, files', two.cpu / one.cpu, 'lower', { note });
} finally {
  rmSync(folder, { recursive: true });
}
