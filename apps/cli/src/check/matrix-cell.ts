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
  /** Ids of rules that are not judged. */
  readonly except: readonly string[];
}

/** The answer of one cell. */
export interface CellAnswer {
  readonly cell: Cell;
  readonly report: FullReport;
  /** Log of the counterexample. */
  readonly frame: Frame | undefined;
}

/** States in which a cell is tried first: most cells have no more, or a violation that few preemptions lead to. */
const TRIED_STATES = 100_000;

/** Checks one cell. */
export function checkCell(cell: Cell, setting: CellSetting): CellAnswer {
  const { maxStates } = setting;
  const policy = policyByName(cell.policy);
  const options = { scenario: cell.scenario, policy, ...setting, reduce: true, maxPreemptions: Infinity, liveness: false } as const;
  const search = (order: FullOrder, firstStates: number) => {
    const check = new FullCheck({ ...options, order, firstStates });
    while (check.advance(1000));
    return check;
  };
  const isOpen = (check: FullCheck): boolean => check.report().verdict === 'unfinished';
  const tried = Math.min(maxStates, TRIED_STATES);
  // Fewest states first: who had the turn is no part of them.
  let check = search('dfs', tried);
  if (isOpen(check)) check = search('preemptions', tried);
  if (isOpen(check) && maxStates > tried) {
    const whole = search('dfs', maxStates);
    if (!isOpen(whole)) check = whole;
  }
  return { cell, report: check.report(), frame: check.log() };
}

if (parentPort !== null) {
  const port = parentPort;
  const setting = workerData as CellSetting;
  port.on('message', (cell: Cell) => port.postMessage(checkCell(cell, setting)));
}
