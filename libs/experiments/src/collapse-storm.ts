import type { Command, MachineConfig, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS, K } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';
import type { PhaseFigures } from './phase-tally.ts';

const POLICIES = ['rcu', 'epoch', 'hazard', 'refs', 'eager', 'rwlock', 'hyp-lock', 'v6.1'];
/** Policies whose teardown may stand before the block in a fault that others walk beside. */
const BEFORE = ['eager', 'refs'];

/** What bringing blocks back took, and what was pending until all was freed. */
interface Storm {
  readonly ns: number;
  readonly longestNs: number;
  readonly pendingPeak: number;
  readonly pendingNs: number;
  /** Faults and lost exchanges of a collapse: what the others do meanwhile. */
  readonly faults: number;
  readonly lost: number;
}

/** All vCPUs go through the same split blocks in the same order once dirty logging has ended: the first fault in each collapses it. */
export function collapseStorm(policy: ReclaimPolicy, vcpus: number, blocks: number, teardown: MachineConfig['teardown'] = 'after'): Storm {
  const write = (vcpu: number, n: number, command: Command): boolean => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + n * BLOCK + ((37 * vcpu + n) % 512) * PAGE;
    return n < blocks;
  };
  const figures = measurePhases({ vcpus, teardown, eagerSplitBytes: BLOCK }, policy, [
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
    faults: of('collapse').counts[K.faultTaken]! / blocks,
    lost: of('collapse').counts[K.descriptorSwapFailed]! / blocks,
  };
}

function run(size: Size): readonly Figure[] {
  const [blocks, crowd] = size === 'small' ? [16, 4] : [64, 32];
  const micros = (ns: number): number => Math.round(ns / 100) / 10;
  const storm = (name: string, label: string, teardown: MachineConfig['teardown']) => ({
    name: label,
    alone: collapseStorm(policyByName(name), 1, blocks, teardown),
    many: collapseStorm(policyByName(name), crowd, blocks, teardown),
  });
  const storms = [
    ...POLICIES.map((name) => storm(name, name, 'after')),
    ...BEFORE.map((name) => storm(name, `${name}, teardown before the block`, 'before')),
  ];
  const tenth = (value: number): number => Math.round(10 * value) / 10;
  const rows = (what: string, of: (storm: (typeof storms)[number]) => number): Figure[] =>
    storms.map((one) => ({ name: `${one.name}: ${what}`, simulated: of(one) }));
  return [
    ...rows('us a collapse, 1 vCPU', ({ alone }) => micros(alone.ns / blocks)),
    ...rows(`us a collapse, ${crowd} vCPUs`, ({ many }) => micros(many.ns / blocks)),
    ...rows(`longest access, us, ${crowd} vCPUs`, ({ many }) => micros(many.longestNs)),
    ...rows(`faults a collapse, ${crowd} vCPUs`, ({ many }) => tenth(many.faults)),
    ...rows(`exchanges lost a collapse, ${crowd} vCPUs`, ({ many }) => tenth(many.lost)),
    ...rows(`most sub-trees pending, of ${blocks}, ${crowd} vCPUs`, ({ many }) => many.pendingPeak),
    ...rows(`longest pending, us, ${crowd} vCPUs`, ({ many }) => micros(many.pendingNs)),
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
