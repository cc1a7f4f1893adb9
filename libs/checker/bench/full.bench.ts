// The checker on the full engine: from the command to a counterexample, and the verdict matrix in its small size; with `npm run bench -- --full` as large as its target, without guests and with them, which takes a quarter of an hour.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../../apps/cli/bin/s2lab.mjs');

interface Cells {
  readonly seconds: number;
  readonly cells: readonly {
    readonly storedStates: number;
    readonly judgedPaths: number;
    readonly verdict: string;
    readonly shortest: boolean;
  }[];
}

/** Tells the processor time of a process and its threads on its last line of errors. */
const TELL_CPU =
  "data:text/javascript,import{isMainThread}from'node:worker_threads';" +
  "if(isMainThread)process.on('exit',()=>{const{user,system}=process.cpuUsage();process.stderr.write(`\\n${(user+system)/1e6}`)})";

function report(name: string, value: number, unit: string, target: number | undefined, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

function check(...args: string[]): { seconds: number; cpuSeconds: number; text: string } {
  const began = performance.now();
  const command = ['--import', TELL_CPU, BIN, 'check', '--json', ...args];
  const { stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: Number(stderr.split('\n').at(-1)), text: stdout };
}

const race = [
  '--scenario',
  'collapse-fault',
  '--policy',
  'refs-naive',
  '--log',
  join(mkdtempSync(join(tmpdir(), 's2lab-bench-')), 'race.arrow'),
];
const found = check(...race);
const { counterexampleSteps } = JSON.parse(found.text) as { counterexampleSteps: number };
report('check.full refs-naive in collapse-fault (2,1,1), command to counterexample', found.seconds, 's', 3, 'lower');
report('check.full refs-naive in collapse-fault (2,1,1), counterexample', counterexampleSteps, 'steps', 36, 'lower');

const small = JSON.parse(check('--all', '--walkers', '1', '--no-hardware', '--max-states', '20000', '--threads', '2').text) as Cells;
const states = small.cells.reduce((sum, { storedStates }) => sum + storedStates, 0);
report('check.full matrix (1,1,1), 20000 states a cell, 2 threads', small.seconds, 's', 60, 'lower');
report('check.full matrix, states a second', states / small.seconds, 'states/s', 2000, 'higher');

/** The matrix at two walkers and a collapser, as large as its target. */
function wholeMatrix(name: string, ...args: string[]): void {
  const { seconds, cpuSeconds, text } = check('--all', '--walkers', '2', '--max-memory', '9GiB', '--threads', '2', ...args);
  const { cells } = JSON.parse(text) as Cells;
  const violated = cells.filter(({ verdict }) => verdict === 'violated');
  const undecided = cells.filter(({ verdict }) => verdict === 'unfinished');
  const of = `check.full matrix (2,1,1) ${name}, 2 threads`;
  report(of, seconds, 's', 600, 'lower');
  report(`${of}: CPU`, cpuSeconds, 's', undefined, 'lower');
  report(`${of}: cells`, cells.length, 'cells', undefined, 'higher');
  report(`${of}: undecided`, undecided.length, 'cells', 0, 'lower');
  report(`${of}: violated, but not by the fewest choices`, violated.filter(({ shortest }) => !shortest).length, 'cells', 0, 'lower');
}

if (process.env.S2LAB_BENCH === 'full') {
  wholeMatrix('without guests', '--no-hardware', '--max-states', '1500000');
  // As many states as the largest search for the fewest choices has, and some.
  wholeMatrix('with guests, 3000000 states a cell', '--max-states', '3000000');
}
