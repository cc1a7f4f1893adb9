// The checker on the small scenarios: states a second, bytes a state, stored states, executions, and the commands from start to counterexample.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DporSearch, smallScenario, StateSearch } from '@s2lab/small-models';
import type { Model } from '@s2lab/small-models';

const BIN = join(import.meta.dirname, '../../../apps/cli/bin/s2lab.mjs');
const STARTS = 9;

type Size = readonly [walkers: number, collapsers: number, entries: number, mappers?: number];

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

function build(name: string, [walkers, collapsers, entries, mappers = 0]: Size): Model {
  return smallScenario(name)!.build({ walkers, collapsers, entries, mappers });
}

/** A search to its end, with the CPU seconds that it took. */
function searched(name: string, size: Size, symmetry: boolean, partialOrder: boolean): { search: StateSearch; seconds: number } {
  const began = process.cpuUsage();
  const search = new StateSearch(build(name, size), { order: 'bfs', symmetry, partialOrder, maxBytes: 2 ** 31 });
  while (search.advance(20_000));
  const { user, system } = process.cpuUsage(began);
  return { search, seconds: (user + system) / 1e6 };
}

/** Searches until a million states have been stored: small scenarios several times. */
function plainRate(name: string, size: Size, states: number): void {
  const runs = Math.ceil(1e6 / states);
  let total = 0;
  let bytes = 0;
  for (let run = 0; run < runs; run += 1) {
    const { search, seconds } = searched(name, size, false, false);
    if (search.storedStates !== states) throw new Error(`${name} (${size.join()}): ${search.storedStates} states, not ${states}`);
    total += seconds;
    bytes = search.bytes;
  }
  report(`check.plain ${name} (${size.join()})`, (runs * states) / total / 1e6, 'M states/CPU s', 1, 'higher');
  report(`check.bytes ${name} (${size.join()})`, bytes / states, 'bytes/state', 100, 'lower');
}

/** Prints the CPU seconds of a process when it ends, as the last line of its standard error. */
const TELL = `process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write('\\n' + (user + system) / 1e6); });`;

/** Median CPU seconds of `node` with `args`, after one start that fills the cache of compiled code. */
function cpuSeconds(args: readonly string[]): number {
  const once = (): number => {
    const { stderr } = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(TELL)}`, ...args], {
      encoding: 'utf8',
    });
    return Number(stderr.slice(stderr.lastIndexOf('\n')));
  };
  once();
  return median(Array.from({ length: STARTS }, once));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

plainRate('S2', [4, 2, 2], 3_182_765);
plainRate('S3', [4, 2, 2], 1_118_083);
plainRate('S3A', [3, 1, 2], 11_020);
plainRate('S4', [4, 2, 2], 34_742);
plainRate('S5R', [3, 1, 2], 52_645);
plainRate('S5T', [3, 1, 2], 28_659);
report('check.symmetry S2 (4,2,2)', searched('S2', [4, 2, 2], true, false).search.storedStates, 'states', 106_148, 'lower');
report('check.all-reductions S2 (4,2,2)', searched('S2', [4, 2, 2], true, true).search.storedStates, 'states', 50_000, 'lower');

for (const [name, size, executions, symmetry] of [
  ['S2', [2, 1, 1], 245, false],
  ['S2', [3, 1, 1], 13_080, false],
  ['S3', [2, 1, 1], 16, false],
  ['S3', [3, 1, 1], 64, false],
  ['S4', [2, 1, 1], 14, false],
  // GenMC with symmetry: 139, and 35 blocked ones.
  ['S2', [2, 1, 1], 138, true],
] as const) {
  const search = new DporSearch(build(name, size), symmetry);
  while (search.advance(1000));
  const what = `check.dpor ${name} (${size.join()})${symmetry ? ', symmetry' : ''}`;
  report(what, search.executions + search.blocked, 'executions', executions, 'lower');
}

const idle = cpuSeconds(['-e', '0']);
for (const [name, size, steps] of [
  ['S1', [2, 1, 1], 9],
  ['S2N', [2, 1, 1, 1], 15],
] as const) {
  const times = Array.from({ length: STARTS }, () => {
    const began = performance.now();
    const { search } = searched(name, size, true, false);
    if (search.counterexample()?.schedule.length !== steps) throw new Error(`${name}: the counterexample has not ${steps} steps`);
    return performance.now() - began;
  });
  report(`check.counterexample ${name}, in a running process`, median(times), 'ms', 5, 'lower');
  report(`check.command ${name}, above node -e 0`, cpuSeconds([BIN, 'check', '--scenario', name]) - idle, 'CPU s', 0.1, 'lower');
}
const all = ['--walkers', '4', '--collapsers', '2', '--entries', '2'];
report('check.command S2 (4,2,2), all reductions', cpuSeconds([BIN, 'check', '--scenario', 'S2', ...all]), 'CPU s', 2.2, 'lower');
