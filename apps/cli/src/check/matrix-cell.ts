import { parentPort, workerData } from 'node:worker_threads';
import type { FullBounds, FullReport } from '@s2lab/checker';
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

/** States in which a cell is tried first, by order: most cells have no more, or a violation that few preemptions lead to. */
const TRIED_STATES = { dfs: 50_000, preemptions: 100_000 } as const;

/** States that a search expands at a time. */
const SLICE = 1000;

/** Checks one cell. */
export function checkCell(cell: Cell, setting: CellSetting): CellAnswer {
  const check = searched(cell, setting);
  return { cell, report: check.report(), frame: check.log() };
}

function searched({ scenario, policy }: Cell, setting: CellSetting): FullCheck {
  const options = { scenario, policy: policyByName(policy), ...setting, reduce: true, maxPreemptions: Infinity, liveness: false } as const;
  // Fewest states first: who had the turn is no part of them.
  const deep = new FullCheck({ ...options, order: 'dfs' });
  while (isOpen(deep) && deep.counts.storedStates < TRIED_STATES.dfs && deep.advance(SLICE));
  if (!isOpen(deep)) return ended(deep);
  const firstStates = Math.min(setting.maxStates, TRIED_STATES.preemptions);
  const bounded = ended(new FullCheck({ ...options, order: 'preemptions', firstStates }));
  if (!isOpen(bounded)) return bounded;
  return isOpen(ended(deep)) ? bounded : deep;
}

function ended(check: FullCheck): FullCheck {
  while (check.advance(SLICE));
  return check;
}

function isOpen(check: FullCheck): boolean {
  return check.report().verdict === 'unfinished';
}

if (parentPort !== null) {
  const port = parentPort;
  const setting = workerData as CellSetting;
  port.on('message', (cell: Cell) => port.postMessage(checkCell(cell, setting)));
}
