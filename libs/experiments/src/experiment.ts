import type { CostSet } from '@s2lab/engine';
import type { Figure } from './figure.ts';

/** How large an experiment is run: `small` is for tests, and what it leaves out is named where it does. */
export type Size = 'small' | 'whole';

/** A cost that differs from the default in an experiment, and where it comes from. */
export interface StatedCost {
  readonly cost: keyof CostSet;
  readonly ns: number;
  /** Whether it was chosen so that the figures come out; otherwise it is taken from elsewhere. */
  readonly fitted: boolean;
  readonly why: string;
}

/** A published experiment that the lab repeats. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** Author and message-id of the letter. */
  readonly source: string;
  /** What was measured there, and what is run here instead; why its size does not matter. */
  readonly method: string;
  /** Costs in force besides the defaults. */
  readonly costs: readonly StatedCost[];
  run(size: Size): readonly Figure[];
}

/** Costs of an experiment as overrides of the default set. */
export function costOverrides(stated: readonly StatedCost[]): Partial<CostSet> {
  return Object.fromEntries(stated.map(({ cost, ns }) => [cost, ns]));
}
