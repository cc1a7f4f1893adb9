import type { Command } from '@s2lab/engine';
import { COMMAND, DEFAULT_COSTS } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size, StatedCost } from './experiment.ts';
import { costOverrides } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';

/** vCPUs, then ms of sparse writes: splitting on fault, and eagerly. */
const PUBLISHED = [
  [1, 2.63, 1.66],
  [2, 2.95, 1.7],
  [4, 3.21, 1.71],
  [8, 4.97, 1.78],
  [16, 9.51, 1.82],
  [32, 20.15, 3.03],
  [64, 40.09, 5.8],
  [128, 80.08, 12.24],
  [152, 109.81, 15.14],
] as const;

/** vCPUs, then s of a pass through all pages in turn, one write for nine reads (-f 10). */
const PUBLISHED_READS = [152, 6.44, 0.63] as const;

const TOLERANCE = 0.2;

const COSTS: readonly StatedCost[] = [
  { cost: 'faultNs', ns: 2900, fitted: true, why: '1 vCPU: what a split adds is about half of a fault' },
  { cost: 'lineTransferNs', ns: 104, fitted: true, why: 'eager, from 32 to 128 vCPUs: slope 1/6.5 of that of splitting on fault' },
  { cost: 'dsbCoreNs', ns: 1, fitted: true, why: 'on fault: 152 vCPUs take longer than 152/128 of 128' },
];

/** Virtual ns of one write to each block by every vCPU while dirty logging is on. */
export function sparseWriteNs(eager: boolean, vcpus: number, blocksPerVcpu: number): number {
  return passNs(eager, vcpus, blocksPerVcpu, (n, command) => {
    command.access = ACCESS.write;
    command.ipa = n * BLOCK;
    return n < blocksPerVcpu;
  });
}

/** Virtual ns in which every vCPU goes through all pages of its blocks while dirty logging is on, and writes to one of ten. */
export function mostlyReadNs(eager: boolean, vcpus: number, blocksPerVcpu: number): number {
  return passNs(eager, vcpus, blocksPerVcpu, (n, command) => {
    command.access = n % 10 === 0 ? ACCESS.write : ACCESS.read;
    command.ipa = n * PAGE;
    return n * PAGE < blocksPerVcpu * BLOCK;
  });
}

/** @param access fills in a vCPU's `n`th access, relative to its own memory; false when it is through */
function passNs(eager: boolean, vcpus: number, blocksPerVcpu: number, access: (n: number, command: Command) => boolean): number {
  const ofVcpu = (vcpu: number, n: number, command: Command): boolean => {
    const more = access(n, command);
    command.kind = COMMAND.access;
    command.ipa += MEMORY_IPA + vcpu * blocksPerVcpu * BLOCK;
    return more;
  };
  const populate = (vcpu: number, n: number, command: Command): boolean => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + (vcpu * blocksPerVcpu + n) * BLOCK;
    return n < blocksPerVcpu;
  };
  const config = { vcpus, eagerSplitBytes: eager ? BLOCK : 0, costs: { ...DEFAULT_COSTS, ...costOverrides(COSTS) } };
  const figures = measurePhases(config, policyByName('rcu'), [
    { name: 'create', vmm: [memslot(vcpus * blocksPerVcpu * BLOCK, { thp: 1 })] },
    { name: 'populate', vcpus: populate },
    { name: 'log', vmm: [{ kind: COMMAND.dirtyLogOn, memslot: 0 }] },
    { name: 'pass', vcpus: ofVcpu },
  ]);
  return figures.get('pass')!.ns;
}

/** Three costs were chosen with the whole table of writes in view: every row of it is fitted. The row of reads is a prediction. */
function run(size: Size): readonly Figure[] {
  const rows = size === 'small' ? PUBLISHED.filter(([vcpus]) => [1, 2, 32].includes(vcpus)) : PUBLISHED;
  const blocks = size === 'small' ? 12 : 24;
  const times = rows.map(([vcpus]) => ({ onFault: sparseWriteNs(false, vcpus, blocks), eager: sparseWriteNs(true, vcpus, blocks) }));
  const [, onFault1, eager1] = PUBLISHED[0];
  const writes = rows.flatMap(([vcpus, onFault, eager], i): Figure[] => {
    const { onFault: onFaultNs, eager: eagerNs } = times[i]!;
    const at = `${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
    const ratio: Figure = {
      name: `on fault / eager, ${at}`,
      published: onFault / eager,
      simulated: onFaultNs / eagerNs,
      tolerance: TOLERANCE,
      fitted: true,
    };
    if (i === 0) return [ratio];
    return [
      ratio,
      {
        name: `on fault: ${at} / 1 vCPU`,
        published: onFault / onFault1,
        simulated: onFaultNs / times[0]!.onFault,
        tolerance: TOLERANCE,
        fitted: true,
      },
      {
        name: `eager: ${at} / 1 vCPU`,
        published: eager / eager1,
        simulated: eagerNs / times[0]!.eager,
        tolerance: TOLERANCE,
        fitted: true,
      },
    ];
  });
  const [readers, onFaultReads, eagerReads] = PUBLISHED_READS;
  const vcpus = size === 'small' ? 32 : readers;
  return [
    ...writes,
    {
      name: `nine reads for a write, on fault / eager, ${vcpus} vCPUs`,
      ...(vcpus === readers ? { published: onFaultReads / eagerReads, tolerance: TOLERANCE } : {}),
      simulated: mostlyReadNs(false, vcpus, 2) / mostlyReadNs(true, vcpus, 2),
    },
  ];
}

/** Koller: blocks split eagerly when dirty logging begins, against by the faults that come later. */
export const eagerSplitExperiment: Experiment = {
  name: 'eager-split',
  title: 'Sparse writes under dirty logging: blocks split by the fault against split before',
  source: 'Koller, 20230113035000.480021-1: one write to every 2M, 1 to 152 vCPUs',
  method:
    'policy rcu, eager split off against chunks of 2M. 24 blocks a vCPU here, 2 of mostly reads: every block costs the same, so the ratios do not depend on ' +
    'their number (a test compares two).',
  costs: COSTS,
  run,
};
