import type { Command, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND, DEFAULT_COSTS } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import type { Phase } from './bench-machine.ts';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size, StatedCost } from './experiment.ts';
import { costOverrides } from './experiment.ts';
import type { Figure } from './figure.ts';
import { quotientRange } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';

/** vCPUs, then seconds: dirty base, dirty series, populate base, populate series. */
const PUBLISHED = [
  [1, 0.87, 0.93, 0.21, 0.17],
  [2, 1.11, 1.16, 0.26, 0.23],
  [4, 2.39, 1.27, 0.39, 0.31],
  [8, 5.01, 1.39, 0.68, 0.39],
  [16, 8.89, 2.07, 1.26, 0.53],
  [32, 19.9, 4.45, 2.51, 1.04],
  [48, 32.1, 6.23, 3.94, 1.55],
] as const;

const TOLERANCE = 0.15;

/** The one set of costs of the whole table. */
const COSTS: readonly StatedCost[] = [
  { cost: 'faultNs', ns: 330, fitted: true, why: 'dirty base, 1 vCPU: 0.87 s for 2^20 pages, 830 ns a fault in all' },
  { cost: 'visitNs', ns: 36, fitted: true, why: 'dirty base above 16 vCPUs: 0.6 us a fault under the lock' },
  { cost: 'lineTransferNs', ns: 62, fitted: true, why: 'dirty series from 16 to 48 vCPUs: 124 ns a fault, two changes of the lock word' },
  { cost: 'cacheMaintenanceNs', ns: 75, fitted: true, why: 'populate base from 16 vCPUs on: 38 us a 2M block under the lock' },
  { cost: 'zeroPageNs', ns: 85, fitted: true, why: 'populate, 1 vCPU: 83 us a 2M block in all' },
  { cost: 'zeroBesideNs', ns: 29, fitted: true, why: 'populate series, 4 and 8 vCPUs: memory slows down before its bandwidth is used up' },
  { cost: 'memoryPageNs', ns: 31, fitted: true, why: 'populate series from 16 vCPUs on: 15.9 us a 2M block, 132 GB/s' },
];

/** Blocks of memory of each vCPU, and how many of them are written page by page once logging is on. */
export interface ParallelFaultsScale {
  readonly blocks: number;
  readonly dirtyBlocks: number;
}

/** Virtual ns of both phases at one number of vCPUs. */
export interface ParallelFaultsTimes {
  readonly populateNs: number;
  readonly dirtyNs: number;
}

/** Runs dirty_log_perf_test: all vCPUs touch their memory for the first time, then logging begins, then they write every page. */
export function parallelFaults(policy: ReclaimPolicy, vcpus: number, { blocks, dirtyBlocks }: ParallelFaultsScale): ParallelFaultsTimes {
  const write = (command: Command, vcpu: number, offset: number): true => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + vcpu * blocks * BLOCK + offset;
    return true;
  };
  const phases: Phase[] = [
    { name: 'create', vmm: [memslot(vcpus * blocks * BLOCK, { thp: 1 })] },
    { name: 'populate', vcpus: (vcpu, n, command) => n < blocks && write(command, vcpu, n * BLOCK) },
    { name: 'log', vmm: [{ kind: COMMAND.dirtyLogOn, memslot: 0 }] },
    { name: 'dirty', vcpus: (vcpu, n, command) => n * PAGE < dirtyBlocks * BLOCK && write(command, vcpu, n * PAGE) },
  ];
  // No FEAT_S2FWB: memory is cleaned to the point of coherency before it is mapped.
  const config = { vcpus, fwb: false, costs: { ...DEFAULT_COSTS, ...costOverrides(COSTS) } };
  const figures = measurePhases(config, policy, phases);
  return { populateNs: figures.get('populate')!.ns, dirtyNs: figures.get('dirty')!.ns };
}

/** Seven costs were chosen with the whole table in view: every row of it is fitted, and none a prediction. */
function run(size: Size): readonly Figure[] {
  const scale = size === 'small' ? { blocks: 4, dirtyBlocks: 1 } : { blocks: 16, dirtyBlocks: 2 };
  const rows = size === 'small' ? PUBLISHED.filter(([vcpus]) => [1, 8, 16].includes(vcpus)) : PUBLISHED;
  const [base, series] = [policyByName('v6.1'), policyByName('rcu')];
  const speedUps: Figure[] = [];
  const shapes: Figure[] = [];
  let first: { published: (typeof PUBLISHED)[number]; base: ParallelFaultsTimes; series: ParallelFaultsTimes } | undefined;
  for (const published of rows) {
    const [vcpus, dirtyBase, dirtySeries, populateBase, populateSeries] = published;
    const at = `${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
    const now = { published, base: parallelFaults(base, vcpus, scale), series: parallelFaults(series, vcpus, scale) };
    speedUps.push({
      name: `dirty: base / series, ${at}`,
      published: dirtyBase / dirtySeries,
      simulated: now.base.dirtyNs / now.series.dirtyNs,
      tolerance: TOLERANCE,
      fitted: true,
      roundedFrom: quotientRange(dirtyBase, dirtySeries, 0.01),
    });
    speedUps.push({
      name: `populate: base / series, ${at}`,
      published: populateBase / populateSeries,
      simulated: now.base.populateNs / now.series.populateNs,
      tolerance: TOLERANCE,
      fitted: true,
      roundedFrom: quotientRange(populateBase, populateSeries, 0.01),
    });
    first ??= now;
    if (first === now) continue;
    for (const [column, name, of] of [
      [1, 'base', now.base.dirtyNs / first.base.dirtyNs],
      [2, 'series', now.series.dirtyNs / first.series.dirtyNs],
    ] as const)
      shapes.push({
        name: `dirty ${name}: ${at} / 1 vCPU`,
        published: published[column] / first.published[column],
        simulated: of,
        tolerance: TOLERANCE,
        fitted: true,
      });
  }
  return [...speedUps, ...shapes];
}

/** Upton: every fault under a write lock against parallel walks. */
export const parallelFaultsExperiment: Experiment = {
  name: 'parallel-faults',
  title: 'Parallel stage-2 faults against every fault under a write lock',
  source: 'Upton, 20220830194132.962932-1 (v1) and 20221107215644.1895162-1 (v5)',
  method:
    'dirty_log_perf_test -s anonymous_thp, policy v6.1 against rcu. There 4 GiB a vCPU, here 32 MiB populated and 4 MiB dirtied: every block and ' +
    'every page costs the same, so the ratios do not depend on the size (a test compares two).',
  costs: COSTS,
  run,
};
