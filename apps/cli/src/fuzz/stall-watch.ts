/*
 * The thread that watches the inputs of a fuzzed target: a reader that never returns cannot say which input it is at, so this says it and
 * ends the process. It counts processor time, not the clock: a machine that is busy with other things makes no input hang.
 */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/** Processor time that one input may take before it counts as a hang, milliseconds. */
const HANG_CPU_MS = 20_000;
const LOOK_MS = 500;

const current = workerData as Int32Array;
let seen = -1;
let since = 0;

setInterval(() => {
  const { user, system } = process.cpuUsage();
  const now = (user + system) / 1e3;
  const n = Atomics.load(current, 0);
  if (n !== seen) [seen, since] = [n, now];
  else if (now - since > HANG_CPU_MS) {
    writeSync(1, `${JSON.stringify({ failed: n, because: `hangs: it was not over after ${HANG_CPU_MS / 1e3} s of processor time` })}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
}, LOOK_MS);
