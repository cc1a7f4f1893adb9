import { afterLoggingExperiment } from './after-logging.ts';
import { blockedWalkersExperiment } from './blocked-walkers.ts';
import { collapseStormExperiment } from './collapse-storm.ts';
import { eagerSplitExperiment } from './eager-split.ts';
import type { Experiment } from './experiment.ts';
import { hostCoalescingExperiment } from './host-coalescing.ts';
import { memslotUnmapExperiment } from './memslot-unmap.ts';
import { parallelFaultsExperiment } from './parallel-faults.ts';
import { policyFaultsExperiment } from './policy-faults.ts';
import { recoveryCountsExperiment } from './recovery-counts.ts';
import { relaxUnderRwlockExperiment } from './relax-under-rwlock.ts';
import { teardownOrderExperiment } from './teardown-order.ts';

/** All experiments: published ones first, then the lab's own. */
export const EXPERIMENTS: readonly Experiment[] = [
  recoveryCountsExperiment,
  parallelFaultsExperiment,
  relaxUnderRwlockExperiment,
  teardownOrderExperiment,
  blockedWalkersExperiment,
  memslotUnmapExperiment,
  eagerSplitExperiment,
  policyFaultsExperiment,
  collapseStormExperiment,
  afterLoggingExperiment,
  hostCoalescingExperiment,
];

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
