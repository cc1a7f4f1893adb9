import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { FuzzRandom } from './mutation.ts';
import { TARGETS } from './targets.ts';

/** An input that takes more processor time than this, milliseconds, fails the run. */
const SLOW_MS = 2_000;
/** All memory that the process of a target may have, bytes. */
const RSS_MAX = 1.5 * 2 ** 30;
/** How often a target says how far it is, milliseconds. */
const REPORT_MS = 2_000;

/** How far the process of a target is: one JSON line of its standard output. */
export interface FuzzProgress {
  /** The last input that is over. */
  readonly n: number;
  /** Inputs taken as good. */
  readonly taken: number;
  readonly slowestMs: number;
  readonly rssMiB: number;
  readonly cpuSeconds: number;
}

/** The line that ends the work of a process: the input that failed, and why. */
export interface FuzzFailure {
  readonly failed: number;
  readonly because: string;
}

function say(line: FuzzProgress | FuzzFailure): void {
  writeSync(1, `${JSON.stringify(line)}\n`); // Not console.log: a process that is killed right after it must have said it.
}

/** Processor time that this process has had, milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/**
 * Gives a target the inputs `from` to `to` - 1 of a seed, in this process; says on standard output how far it is, and stops at the first
 * input that fails. @returns whether all inputs went well
 */
export async function runInputs(name: string, seed: number, from: number, to: number): Promise<boolean> {
  const target = TARGETS.find((each) => each.name === name)!;
  const current = new Int32Array(new SharedArrayBuffer(4));
  const watcher = new Worker(new URL('stall-watch.ts', import.meta.url), { workerData: current });
  let taken = 0;
  let slowestMs = 0;
  let rss = 0;
  let told = 0;
  const tell = (n: number): void =>
    say({ n, taken, slowestMs: Math.round(slowestMs), rssMiB: Math.round(rss / 2 ** 20), cpuSeconds: cpuMs() / 1e3 });
  const judge = async (n: number): Promise<string | undefined> => {
    const begun = cpuMs();
    try {
      if (await open.run(new FuzzRandom(seed * 0x100_0001 + n))) taken += 1;
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    const spent = cpuMs() - begun;
    slowestMs = Math.max(slowestMs, spent);
    return spent > SLOW_MS ? `took ${Math.round(spent)} ms of processor time` : undefined;
  };
  Atomics.store(current, 0, from);
  tell(from - 1);
  const open = await target.open();
  for (let n = from; n < to; n += 1) {
    Atomics.store(current, 0, n);
    let because = await judge(n);
    if (Date.now() - told >= REPORT_MS || n === to - 1 || because !== undefined) {
      told = Date.now();
      rss = Math.max(rss, process.memoryUsage().rss);
      if (rss > RSS_MAX) because ??= `the process has ${Math.round(rss / 2 ** 20)} MiB`;
      tell(n);
    }
    if (because === undefined) continue;
    say({ failed: n, because });
    process.exit(1); // Whatever the input left behind may keep the process busy.
  }
  await open.close();
  await watcher.terminate();
  return true;
}
