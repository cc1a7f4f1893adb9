import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { FuzzFailure, FuzzProgress } from './run-inputs.ts';

/** Silence that is a hang, milliseconds of the clock: something waits for what never comes. */
const SILENCE_MS = 300_000;
/** Heap of a target's process, MiB. */
const HEAP_MIB = 512;
/** Failures after which the rest of a target's inputs is left out. */
const FAILURES_MAX = 5;

/** What became of a target's inputs. */
export interface FuzzOutcome {
  readonly target: string;
  /** How many were given to it. */
  inputs: number;
  taken: number;
  slowestMs: number;
  rssMiB: number;
  cpuSeconds: number;
  /** What went wrong, each with the number of its input. */
  readonly failures: string[];
}

/** How a process of a target ended. */
interface Ending {
  readonly last: FuzzProgress;
  readonly failure: FuzzFailure | undefined;
  /** Set when it ended without naming the input. */
  readonly complaint: string | undefined;
}

function runProcess(args: readonly string[], from: number, told: (progress: FuzzProgress) => void): Promise<Ending> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, join(import.meta.dirname, 'main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let last: FuzzProgress = { n: from - 1, taken: 0, slowestMs: 0, rssMiB: 0, cpuSeconds: 0 };
    let failure: FuzzFailure | undefined;
    let words = '';
    let silent = false;
    const alarm = setTimeout(() => {
      silent = true;
      child.kill('SIGKILL');
    }, SILENCE_MS);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4000);
    });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const said = JSON.parse(line) as FuzzProgress | FuzzFailure;
        if ('failed' in said) failure = said;
        else told((last = said));
      }
      alarm.refresh();
    });
    child.on('close', (status, signal) => {
      clearTimeout(alarm);
      const ended = silent ? `was silent for ${SILENCE_MS / 60_000} minutes` : `ended by ${signal ?? `status ${status}`}: ${words.trim()}`;
      resolve({ last, failure, complaint: status === 0 || failure !== undefined ? undefined : `${ended} (after input ${last.n})` });
    });
  });
}

/**
 * Gives a target the first `inputs` inputs of a seed, in a process that is watched; after an input that fails it goes on with the next one,
 * in a new process. @param told is called every few seconds with how many inputs are over
 */
export async function watchTarget(
  target: string,
  seed: number,
  range: { readonly from: number; readonly to: number },
  told: (inputs: number) => void,
): Promise<FuzzOutcome> {
  const outcome: FuzzOutcome = { target, inputs: 0, taken: 0, slowestMs: 0, rssMiB: 0, cpuSeconds: 0, failures: [] };
  let from = range.from;
  while (from < range.to && outcome.failures.length < FAILURES_MAX) {
    const args = ['--work', target, '--seed', String(seed), '--from', String(from), '--inputs', String(range.to)];
    const { last, failure, complaint } = await runProcess(args, from, ({ n }) => told(n + 1 - range.from));
    const next = failure === undefined ? last.n + 1 : failure.failed + 1;
    outcome.inputs += next - from;
    outcome.taken += last.taken;
    outcome.slowestMs = Math.max(outcome.slowestMs, last.slowestMs);
    outcome.rssMiB = Math.max(outcome.rssMiB, last.rssMiB);
    outcome.cpuSeconds += last.cpuSeconds;
    if (failure !== undefined) outcome.failures.push(`input ${failure.failed}: ${failure.because}`);
    if (complaint !== undefined) {
      outcome.failures.push(complaint);
      break; // Which input it was is not known, so there is no next one.
    }
    from = next;
  }
  return outcome;
}
