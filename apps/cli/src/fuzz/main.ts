/*
 * `npm run fuzz [-- --inputs N] [--target PART] [--seed N] [--write FILE]`: hostile input for everything that reads from outside, each target in a
 * process of its own that may use little memory and is watched. An input is named by target, seed and number: `--target PART --seed N
 * --only I` runs one alone. Exit status 1: something crashed, hung, took too much memory or failed otherwise.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { FuzzRandom } from './mutation.ts';
import { TARGETS } from './targets.ts';

/** An input that takes longer than this is a hang, milliseconds of wall time: the machine may be busy with other things. */
const HANG_MS = 60_000;
/** An input that takes longer than this is told as slow. */
const SLOW_MS = 2_000;
/** Heap of a target's process, MiB, and all memory that it may have, bytes. */
const HEAP_MIB = 512;
const RSS_MAX = 1.5 * 2 ** 30;
const REPORT_EVERY = 500;

interface Outcome {
  readonly target: string;
  readonly inputs: number;
  readonly taken: number;
  readonly slowestMs: number;
  readonly rssMiB: number;
  readonly cpuSeconds: number;
  /** What went wrong, and the number of the input; undefined = nothing. */
  readonly failure: string | undefined;
}

/** The inputs `from` to `to` of a target, in this process; progress and outcome go to standard output as JSON lines. */
async function work(name: string, seed: number, from: number, to: number): Promise<void> {
  const target = TARGETS.find((each) => each.name === name)!;
  const open = await target.open();
  let taken = 0;
  let slowestMs = 0;
  let rss = 0;
  for (let n = from; n < to; n += 1) {
    const begun = performance.now();
    try {
      if (await open.run(new FuzzRandom(seed * 0x100_0001 + n))) taken += 1;
    } catch (error) {
      throw new Error(`input ${n}`, { cause: error });
    }
    slowestMs = Math.max(slowestMs, performance.now() - begun);
    if (n % REPORT_EVERY !== 0 && n !== to - 1) continue;
    rss = Math.max(rss, process.memoryUsage().rss);
    if (rss > RSS_MAX) throw new Error(`input ${n}: the process has ${Math.round(rss / 2 ** 20)} MiB`);
    const { user, system } = process.cpuUsage();
    console.log(
      JSON.stringify({ n, taken, slowestMs: Math.round(slowestMs), rssMiB: Math.round(rss / 2 ** 20), cpuSeconds: (user + system) / 1e6 }),
    );
  }
  await open.close();
}

interface Progress {
  readonly n: number;
  readonly taken: number;
  readonly slowestMs: number;
  readonly rssMiB: number;
  readonly cpuSeconds: number;
}

/** Runs a target in a process that is watched. */
function watch(name: string, seed: number, inputs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const args = [
      `--max-old-space-size=${HEAP_MIB}`,
      import.meta.filename,
      '--work',
      name,
      '--seed',
      String(seed),
      '--inputs',
      String(inputs),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let last: Progress = { n: -1, taken: 0, slowestMs: 0, rssMiB: 0, cpuSeconds: 0 };
    let complaint = '';
    let hung = false;
    const alarm = setTimeout(
      () => {
        hung = true;
        child.kill('SIGKILL');
      },
      HANG_MS + REPORT_EVERY * 20,
    );
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
    });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) last = JSON.parse(line) as Progress;
      alarm.refresh();
    });
    child.on('close', (status, signal) => {
      clearTimeout(alarm);
      const slow = last.slowestMs > SLOW_MS ? `an input took ${last.slowestMs} ms` : undefined;
      const failure = hung
        ? `hangs after input ${last.n}`
        : status === 0
          ? slow
          : `ended by ${signal ?? `status ${status}`} after input ${last.n}: ${complaint.trim()}`;
      const { taken, slowestMs, rssMiB, cpuSeconds } = last;
      resolve({ target: name, inputs: last.n + 1, taken, slowestMs, rssMiB, cpuSeconds, failure });
    });
  });
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    (o) =>
      `| ${o.target} | ${o.inputs.toLocaleString('en')} | ${((100 * o.taken) / Math.max(1, o.inputs)).toFixed(1)} % | ${o.slowestMs} | ${o.rssMiB} | ${Math.round(o.cpuSeconds)} | ${o.failure === undefined ? 'none' : 'see below'} |`,
  );
  return [
    '| target | inputs | taken as good | slowest, ms | memory, MiB | CPU s | failures |',
    '|---|---:|---:|---:|---:|---:|---|',
    ...rows,
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '1000000' },
      target: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      write: { type: 'string' },
      only: { type: 'string' },
      work: { type: 'string' },
    },
  });
  const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
  if (values.work !== undefined) {
    await work(values.work, seed, 0, inputs);
    return;
  }
  const chosen = TARGETS.filter(({ name }) => name.includes(values.target));
  if (values.only !== undefined) {
    for (const { name } of chosen) await work(name, seed, Number(values.only), Number(values.only) + 1);
    return;
  }
  const all = TARGETS.reduce((sum, { share }) => sum + share, 0);
  const begun = Date.now();
  const outcomes: Outcome[] = [];
  for (const { name, share } of chosen) {
    const outcome = await watch(name, seed, Math.ceil((inputs * share) / all));
    outcomes.push(outcome);
    console.log(`${name}: ${outcome.inputs} inputs, ${outcome.failure ?? 'no failure'}`);
  }
  const total = outcomes.reduce((sum, outcome) => sum + outcome.inputs, 0);
  const minutes = ((Date.now() - begun) / 60_000).toFixed(1);
  const command = `npm run fuzz -- --inputs ${inputs} --seed ${seed}`;
  const summary = `\`${command}\`: ${total.toLocaleString('en')} inputs in ${minutes} minutes on a machine of ${cpus().length} cores that was busy with other work, Node ${process.versions.node}.\n\n${table(outcomes)}\n`;
  console.log(summary);
  if (values.write !== undefined) writeFileSync(values.write, summary);
  if (outcomes.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

await main();
