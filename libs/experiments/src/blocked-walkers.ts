import type { MachineConfig } from '@s2lab/engine';
import { K } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import type { PhaseFigures } from './phase-tally.ts';
import { COMMAND_LIMITS_NS } from './phase-tally.ts';
import { collapseAll } from './teardown-order.ts';

/** Stalls above half of the longest one when the sub-tree was torn down first, once it was torn down last: of up to 4 s there, none above 2. */
const PUBLISHED_LONG = 0;

function run(size: Size): readonly Figure[] {
  const vcpus = size === 'small' ? 4 : 16;
  const collapse = (teardown: MachineConfig['teardown']): PhaseFigures => collapseAll(policyByName('eager'), { vcpus, teardown }, 1);
  const [before, after] = [collapse('before'), collapse('after')];
  // Who collapses tears down in both orders: its own access is not a stall by a locked descriptor.
  const others = (commands: readonly number[], from: number): number =>
    Math.max(0, commands.slice(from).reduce((sum, n) => sum + n, 0) - 1);
  const half = COMMAND_LIMITS_NS.findLastIndex((limit) => limit <= before.longestNs / 2) + 1;
  const bucket = (i: number): string => (i < COMMAND_LIMITS_NS.length ? `up to ${COMMAND_LIMITS_NS[i]! / 1000} us` : 'longer');
  return [
    {
      name: 'stalled after: vCPUs above half of the longest before',
      published: PUBLISHED_LONG,
      simulated: others(after.commands, half),
      tolerance: 0,
    },
    ...[before, after].flatMap(({ commands, counts, longestNs }, i): Figure[] => {
      const order = i === 0 ? 'before' : 'after';
      return [
        ...commands.map((count, at) => ({ name: `${order}: accesses that took ${bucket(at)}`, simulated: count })),
        { name: `${order}: longest access, us`, simulated: Math.round(longestNs / 100) / 10 },
        { name: `${order}: faults`, simulated: counts[K.faultTaken]! },
      ];
    }),
  ];
}

/** Matlack: how long vCPUs stand before a locked descriptor. */
export const blockedWalkersExperiment: Experiment = {
  name: 'blocked-walkers',
  title: 'How long vCPUs stand before a locked descriptor: the sub-tree torn down before it is unlocked against after',
  source:
    'Matlack, KVM x86, 2024 (merged for 6.10): 416 vCPUs, 1 GiB regions; 509.8 s against 336.5 s, stalls up to 4 s against none above 2 s',
  method:
    'policy eager, which tears down within the walk that unlinks while others go on; one 1G block mapped by pages, touched by 16 vCPUs at once. ' +
    'The published seconds are those of a test that did more than this, and are not compared.',
  costs: [],
  run,
};
