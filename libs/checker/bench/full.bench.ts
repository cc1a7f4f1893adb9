// The checker on the full engine: from the command to a counterexample, and the verdict matrix in its small size.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../../apps/cli/bin/s2lab.mjs');

interface Cells {
  readonly seconds: number;
  readonly cells: readonly { readonly storedStates: number; readonly judgedPaths: number; readonly verdict: string }[];
}

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

function check(...args: string[]): { seconds: number; text: string } {
  const began = performance.now();
  const { stdout } = spawnSync(process.execPath, [BIN, 'check', '--json', ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return { seconds: (performance.now() - began) / 1000, text: stdout };
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
