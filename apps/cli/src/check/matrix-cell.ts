import { parentPort, workerData } from 'node:worker_threads';
import type { FullBounds, FullOrder, FullReport } from '@s2lab/checker';
import { FullCheck } from '@s2lab/checker';
import type { Frame } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';

/** One cell of the verdict matrix: what to check. */
export interface Cell {
  readonly scenario: string;
  readonly policy: string;
}

/** What all cells have in common. */
export interface CellSetting {
  readonly bounds: FullBounds;
  readonly maxBytes: number;
  readonly maxStates: number;
}

/** The answers of one cell: one report, and one more without the rule that was broken, if that rule is not about reclaiming. */
export interface CellAnswer {
  readonly cell: Cell;
  readonly reports: readonly FullReport[];
  /** Log of the first report's counterexample. */
  readonly frame: Frame | undefined;
}

/** A rule that every policy breaks where one does: what else is wrong is asked apart. */
const ASKED_APART = 'I12';

/** Checks one cell. */
export function checkCell(cell: Cell, setting: CellSetting): CellAnswer {
  const policy = policyByName(cell.policy);
  const options = {
    scenario: cell.scenario,
    policy,
    ...setting,
    reduce: true,
    maxPreemptions: Infinity,
    liveness: false,
  } as const;
  const search = (order: FullOrder, except: readonly string[]) => {
    const check = new FullCheck({ ...options, order, except });
    while (check.advance(1000));
    return check;
  };
  // Fewest states first: who had the turn is no part of them. Where they are too many, schedules with few preemptions are seen all the same.
  const run = (except: readonly string[]) => {
    const all = search('dfs', except);
    return all.report().verdict === 'unfinished' ? search('preemptions', except) : all;
  };
  const first = run([]);
  const report = first.report();
  const again = report.counterexample?.invariant === ASKED_APART ? [run([ASKED_APART]).report()] : [];
  return { cell, reports: [report, ...again], frame: first.log() };
}

if (parentPort !== null) {
  const port = parentPort;
  const setting = workerData as CellSetting;
  port.on('message', (cell: Cell) => port.postMessage(checkCell(cell, setting)));
}
