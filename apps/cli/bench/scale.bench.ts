/*
 * Two verifiers on two cores against one: events a second of `s2lab verify` of two logs at once against those of one log, in wall time, each
 * the best of three. A log has forty million events so that judging is measured, and not the start of a process: V8 compiles for 0.6 to 0.9 s
 * of processor time, on threads of its own, however long the log is (docs/adr/0063). On a machine whose cores are busy with other work the
 * figure says nothing: the note tells the load before. A second figure tells how much more processor time an event took when two judged at
 * once (1: neither hindered the other), a third how many cores one verifier keeps busy: two can be no faster than 2 divided by both. These
 * are right on a busy machine too.
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
const ROUNDS = 3;
/** Machines of a log, 1.3 million events each. */
const MACHINES = 32;
/** A process tells its processor time and that of its main thread when it ends. */
const TELL_CPU = `data:text/javascript,
  import { writeSync } from 'node:fs';
  process.on('exit', () => writeSync(3, JSON.stringify([process.cpuUsage(), process.threadCpuUsage()])));`;

/** Processor time, seconds: of all threads of a process, and of its main thread, which judges. */
interface Used {
  readonly all: number;
  readonly main: number;
}

/** Verifies a log; returns the processor time that it took. */
async function verify(log: string): Promise<Used> {
  const child = spawn(process.execPath, ['--import', TELL_CPU, BIN, 'verify', log], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const [told, [status]] = await Promise.all([text(child.stdio[3] as Readable), once(child, 'exit')]);
  if (status !== 0) throw new Error(`s2lab verify ${log} ended with ${status}`);
  const [all, main] = (JSON.parse(told) as NodeJS.CpuUsage[]).map(({ user, system }) => (user + system) / 1e6);
  return { all: all!, main: main! };
}

/** Wall time and processor time of verifying the logs, seconds: the least of each over the rounds. */
class Least {
  wall = Infinity;
  all = Infinity;
  main = Infinity;

  async take(work: () => Promise<readonly Used[]>): Promise<void> {
    const begun = performance.now();
    const used = await work();
    this.wall = Math.min(this.wall, (performance.now() - begun) / 1000);
    this.all = Math.min(
      this.all,
      used.reduce((sum, { all }) => sum + all, 0),
    );
    this.main = Math.min(
      this.main,
      used.reduce((sum, { main }) => sum + main, 0),
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
    await one.take(async () => [await verify(logs[0]!)]);
    await two.take(() => Promise.all(logs.map(verify)));
  }
  report('two verifiers against one, files', (2 * one.wall) / two.wall, 'higher', { target: 1.7, note });
  report('processor time of an event, two verifiers against one, files', two.all / (2 * one.all), 'lower', { note });
  report('processor time of one verifier against that of its main thread, files', one.all / one.main, 'lower', { note });
} finally {
  rmSync(folder, { recursive: true });
}
