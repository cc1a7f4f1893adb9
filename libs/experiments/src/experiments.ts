import type { Experiment } from './experiment.ts';
import { parallelFaultsExperiment } from './parallel-faults.ts';

/** All experiments that the lab repeats, in the order of docs/findings.md. */
export const EXPERIMENTS: readonly Experiment[] = [parallelFaultsExperiment];

/**
 * The experiment called `name`.
 * @throws RangeError that lists the names there are
 */
export function experimentByName(name: string): Experiment {
  const found = EXPERIMENTS.find((experiment) => experiment.name === name);
  if (found === undefined)
    throw new RangeError(`experiment '${name}' does not exist; there are ${EXPERIMENTS.map((e) => e.name).join(', ')}`);
  return found;
}
