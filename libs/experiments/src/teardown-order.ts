import type { Command, MachineConfig, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND, DEFAULT_COSTS } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import type { CommandFields } from './bench-machine.ts';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size, StatedCost } from './experiment.ts';
import { costOverrides } from './experiment.ts';
import type { Figure } from './figure.ts';
import { MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';
import type { PhaseFigures } from './phase-tally.ts';

/** vCPUs, then seconds for 20 GiB in 1G blocks: teardown before the block is installed, and after. */
const PUBLISHED = [
  [1, 2.824, 0.244],
  [20, 2.878, 0.297],
  [40, 2.96, 0.366],
] as const;

const TOLERANCE = 0.2;
const GIB = 2 ** 30;

const COSTS: readonly StatedCost[] = [
  { cost: 'cacheMaintenanceNs', ns: 46, fitted: true, why: 'after, 1 vCPU: 12.2 ms to clean a block of 1 GiB' },
  { cost: 'cleanBesideNs', ns: 0.59, fitted: true, why: 'after, 40 vCPUs: 50 % more while all clean the block' },
  { cost: 'visitNs', ns: 430, fitted: true, why: 'before, 1 vCPU: 0.49 us a descriptor torn down' },
];

/** Virtual ns in which all vCPUs get through all blocks again after dirty logging, on the machine that was published. */
export function collapseNs(policy: ReclaimPolicy, teardown: MachineConfig['teardown'], vcpus: number, blocks: number): number {
  const costs = { ...DEFAULT_COSTS, ...costOverrides(COSTS) };
  return collapseAll(policy, { vcpus, teardown, fwb: false, cleansBeforeLock: true, costs }, blocks).ns;
}

/**
 * All vCPUs go through all blocks again after dirty logging.
 * @param blocks of 1 GiB, every page of which is mapped by itself but the first
 */
export function collapseAll(policy: ReclaimPolicy, machine: Partial<MachineConfig>, blocks: number): PhaseFigures {
  const touch =
    (limit: number) =>
    (_: number, n: number, command: Command): boolean => {
      command.kind = COMMAND.access;
      command.access = ACCESS.write;
      command.ipa = MEMORY_IPA + n * GIB;
      return n < limit;
    };
  const first = (block: number): CommandFields => ({ kind: COMMAND.unmapRange, ipa: MEMORY_IPA + block * GIB, bytes: PAGE });
  // Every page is mapped at once by splitting eagerly, instead of by 2^18 faults a block; and the first one is unmapped, so that it faults.
  const figures = measurePhases({ ...machine, eagerSplitBytes: GIB }, policy, [
    { name: 'create', vmm: [memslot(blocks * GIB, { vmaShift: 30 })] },
    { name: 'populate', vcpus: (vcpu, n, command) => vcpu === 0 && touch(blocks)(vcpu, n, command) },
    {
      name: 'log',
      vmm: [
        { kind: COMMAND.dirtyLogOn, memslot: 0 },
        { kind: COMMAND.dirtyLogOff, memslot: 0 },
        ...Array.from({ length: blocks }, (_, block) => first(block)),
      ],
    },
    { name: 'collapse', vcpus: touch(blocks) },
  ]);
  return figures.get('collapse')!;
}

function run(size: Size): readonly Figure[] {
  const rows = size === 'small' ? PUBLISHED.filter(([vcpus]) => vcpus === 20) : PUBLISHED;
  const [before, after, alone] = [policyByName('v6.1'), policyByName('rcu'), policyByName('rwlock')];
  const figures: Figure[] = rows.map(([vcpus, beforeS, afterS]) => ({
    name: `before / after, ${vcpus} vCPU${vcpus === 1 ? '' : 's'}`,
    published: beforeS / afterS,
    simulated: collapseNs(before, 'before', vcpus, 1) / collapseNs(after, 'after', vcpus, 1),
    tolerance: TOLERANCE,
    fitted: vcpus !== 20,
  }));
  if (size === 'whole') {
    const [, beforeS, afterS] = PUBLISHED[0];
    figures.push({
      name: 'before / after, 1 vCPU, when the fault itself tears down (rwlock)',
      published: beforeS / afterS,
      simulated: collapseNs(alone, 'before', 1, 1) / collapseNs(alone, 'after', 1, 1),
    });
  }
  return figures;
}

/** Wang: the sub-tree torn down before the block is installed, against after. */
export const teardownOrderExperiment: Experiment = {
  name: 'teardown-order',
  title: 'Teardown of the sub-tree before the block is installed against off the critical path',
  source: 'Wang, 20210310094319.18760-1: kvm_page_table_test, 20 GiB in 1G blocks, KVM_ADJUST_MAPPINGS',
  method:
    'all vCPUs touch every block; policy v6.1 (teardown within the walk) against rcu (after the block, by the reclaim worker); caches are cleaned ' +
    'before the lock as KVM did up to 5.13. One block here instead of 20: blocks follow each other, so the ratio does not depend on their ' +
    'number (a test compares two).',
  costs: COSTS,
  run,
};
