import type { Command, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';
import type { PhaseFigures } from './phase-tally.ts';

const POLICIES = ['rcu', 'epoch', 'hazard', 'refs', 'eager', 'rwlock', 'hyp-lock', 'v6.1'];

/** What bringing blocks back took, and what was pending until all was freed. */
interface Storm {
  readonly ns: number;
  readonly longestNs: number;
  readonly pendingPeak: number;
  readonly pendingNs: number;
}

/** All vCPUs go through the same split blocks in the same order once dirty logging has ended: the first fault in each collapses it. */
export function collapseStorm(policy: ReclaimPolicy, vcpus: number, blocks: number): Storm {
  const write = (vcpu: number, n: number, command: Command): boolean => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + n * BLOCK + ((37 * vcpu + n) % 512) * PAGE;
    return n < blocks;
  };
  const figures = measurePhases({ vcpus, eagerSplitBytes: BLOCK }, policy, [
    { name: 'create', vmm: [memslot(blocks * BLOCK, { thp: 1 })] },
    { name: 'populate', vcpus: (vcpu, n, command) => vcpu === 0 && write(vcpu, n, command) },
    {
      name: 'log',
      vmm: [
        { kind: COMMAND.dirtyLogOn, memslot: 0 },
        { kind: COMMAND.dirtyLogOff, memslot: 0 },
      ],
    },
    { name: 'collapse', vcpus: write },
    { name: 'drain', vmm: [{ kind: COMMAND.waitGracePeriod }] },
  ]);
  const of = (name: string): PhaseFigures => figures.get(name)!;
  return {
    ns: of('collapse').ns,
    longestNs: of('collapse').longestNs,
    pendingPeak: of('collapse').pendingPeak,
    pendingNs: Math.max(of('collapse').pendingNs, of('drain').pendingNs),
  };
}

function run(size: Size): readonly Figure[] {
  const [blocks, crowd] = size === 'small' ? [16, 4] : [64, 32];
  const micros = (ns: number): number => Math.round(ns / 100) / 10;
  const storms = POLICIES.map((name) => ({
    name,
    alone: collapseStorm(policyByName(name), 1, blocks),
    many: collapseStorm(policyByName(name), crowd, blocks),
  }));
  return [
    ...storms.map(({ name, alone }) => ({ name: `${name}: us a collapse, 1 vCPU`, simulated: micros(alone.ns / blocks) })),
    ...storms.map(({ name, many }) => ({
      name: `${name}: us a collapse, ${crowd} vCPUs in each other's way`,
      simulated: micros(many.ns / blocks),
    })),
    ...storms.map(({ name, many }) => ({ name: `${name}: longest access, us, ${crowd} vCPUs`, simulated: micros(many.longestNs) })),
    ...storms.map(({ name, many }) => ({
      name: `${name}: most sub-trees pending, of ${blocks}, ${crowd} vCPUs`,
      simulated: many.pendingPeak,
    })),
    ...storms.map(({ name, many }) => ({ name: `${name}: longest pending, us, ${crowd} vCPUs`, simulated: micros(many.pendingNs) })),
  ];
}

/** The lab's own: blocks brought back by faults while many walk. */
export const collapseStormExperiment: Experiment = {
  name: 'collapse-storm',
  title: 'Blocks brought back by faults, all vCPUs in the same memory',
  source: 'the lab itself; nobody published it',
  method:
    'all pages of 64 blocks are mapped by themselves; every vCPU writes to every block, all in the same order; the first collapses it.',
  costs: [],
  run,
};
