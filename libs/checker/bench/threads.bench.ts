/*
 * One search in two threads against one: the same complete search of the full engine, fewest preemptions first, from the command to its
 * answer, in wall time and in processor time, each the least of two, taken in turn. On a machine whose cores are busy with other work the ratio by the
 * clock says nothing: the note tells the load before, and a second figure how much more processor time two threads took, most of it for compiling
 * the program once more.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

const BIN = join(import.meta.dirname, '../../../apps/cli/bin/s2lab.mjs');
const SEARCH = ['check', '--json', '--scenario', 'collapse-young', '--policy', 'refs', '--no-hardware'];
const ROUNDS = 2;
/** A process tells its processor time, microseconds, when it ends. */
const TELL_CPU = `data:text/javascript,
  import { writeSync } from 'node:fs';
  process.on('exit', () => { const { user, system } = process.cpuUsage(); writeSync(3, String(user + system)); });`;

/** The least of several runs, seconds, and what they found. */
class Least {
  wall = Infinity;
  cpu = Infinity;
  states = 0;
  private readonly options: readonly string[];

  constructor(...options: readonly string[]) {
    this.options = options;
  }

  async take(): Promise<void> {
    const begun = performance.now();
    const stdio = ['ignore', 'pipe', 'inherit', 'pipe'] as const;
    const child = spawn(process.execPath, ['--import', TELL_CPU, BIN, ...SEARCH, ...this.options], { stdio: [...stdio] });
    const [answer, micros] = await Promise.all([text(child.stdout as Readable), text(child.stdio[3] as Readable), once(child, 'exit')]);
    this.wall = Math.min(this.wall, (performance.now() - begun) / 1000);
    this.cpu = Math.min(this.cpu, Number(micros) / 1e6);
    const { verdict, storedStates } = JSON.parse(answer) as { readonly verdict: string; readonly storedStates: number };
    if (verdict !== 'safe') throw new Error(`s2lab ${SEARCH.join(' ')} ${this.options.join(' ')}: ${verdict}`);
    this.states = storedStates;
  }
}

function report(name: string, value: number, unit: string, better: 'higher' | 'lower', note: string): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(3)), unit, better, note }));
}

const load = `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores before`;
const one = new Least('--threads', '1');
const two = new Least('--threads', '2');
for (let round = 0; round < ROUNDS; round += 1) {
  await one.take();
  await two.take();
}
if (one.states !== two.states) throw new Error(`${one.states} states in one thread, ${two.states} in two`);
const note = `${one.states} states, ${load}`;
report('check.full one complete search, one thread', one.wall, 's', 'lower', note);
report('check.full one complete search, two threads', two.wall, 's', 'lower', note);
report('check.full one search, two threads against one', one.wall / two.wall, '×', 'higher', load);
report('check.full processor time of one search, two threads against one', two.cpu / one.cpu, '×', 'lower', load);
