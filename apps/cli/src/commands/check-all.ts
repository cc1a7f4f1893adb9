import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RefusedCell } from '@s2lab/checker';
import type { Cell, CellAnswer, CellSetting } from '../check/matrix-cell.ts';
import { say, sayJson } from '../output.ts';
import { Progress } from '../progress.ts';
import { writeLog } from './check-full.ts';

/** Which cells, on how many threads, and where the answers go. */
export interface MatrixOptions {
  readonly cells: readonly Cell[];
  /** Those that no search is made for. */
  readonly refused: readonly RefusedCell[];
  readonly setting: CellSetting;
  readonly threads: number;
  readonly json: boolean;
  /** File for the tables in Markdown. */
  readonly write: string | undefined;
  /** Folder for the logs of counterexamples. */
  readonly logs: string | undefined;
}

/** Scenarios with the most states, the largest last. */
const LARGE_SCENARIOS = ['collapse-fault', 'collapse-protect', 'collapse-split'];

/** `check --all`: the verdict matrix. Returns whether any cell has no verdict at all. */
export async function checkAll({ cells, refused, setting, threads, json, write, logs }: MatrixOptions): Promise<boolean> {
  const { matrixText } = await import('@s2lab/checker');
  const { policyByName } = await import('@s2lab/policies');
  const progress = new Progress(json);
  const answers: CellAnswer[] = [];
  const began = performance.now();
  // Where a policy tells walkers apart, or logging begins, there are more states: such cells come first, so that no thread is left with one at the end.
  const tellsApart = ({ policy }: Cell): number =>
    policyByName(policy).stateWords(1) > 0 && policyByName(policy).swapActors === undefined ? LARGE_SCENARIOS.length + 1 : 0;
  const size = (cell: Cell): number => tellsApart(cell) + LARGE_SCENARIOS.indexOf(cell.scenario);
  const largestFirst = cells.toSorted((a, b) => size(b) - size(a));
  await inThreads(largestFirst, setting, threads, (answer) => {
    answers.push(answer);
    progress.update(() => `${answers.length} of ${cells.length} cells`);
  });
  progress.end();
  const inOrder = cells.map((cell) => answers.find((answer) => same(answer.cell, cell))!);
  const reports = inOrder.map(({ report }) => report);
  if (logs !== undefined) {
    for (const { cell, frame } of inOrder)
      if (frame !== undefined) await writeLog(join(logs, `${cell.scenario}-${cell.policy}.arrow`), frame, true);
  }
  const text = matrixText(reports, refused, { ...setting.bounds, maxStates: setting.maxStates, except: setting.except });
  if (write !== undefined) await writeFile(write, `${text}\n`);
  const seconds = (performance.now() - began) / 1000;
  if (json) sayJson({ seconds, cells: reports, refused });
  else say(`${text}\n${seconds.toFixed(1)} s`);
  return reports.every(({ verdict, bounds }) => verdict !== 'unfinished' || (bounds.preemptions ?? -1) >= 0);
}

function same(a: Cell, b: Cell): boolean {
  return a.scenario === b.scenario && a.policy === b.policy;
}

/** Each thread takes the next cell when it has answered one. */
async function inThreads(
  cells: readonly Cell[],
  workerData: CellSetting,
  threads: number,
  answered: (answer: CellAnswer) => void,
): Promise<void> {
  let next = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('../check/matrix-cell.ts', import.meta.url), { workerData });
      const give = (): void => {
        const cell = cells[next];
        next += 1;
        if (cell !== undefined) worker.postMessage(cell);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (answer: CellAnswer) => {
        answered(answer);
        give();
      });
      worker.on('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: Math.min(threads, cells.length) }, work));
}
