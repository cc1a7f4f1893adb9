import type { CollapseMode, Command } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS, K } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';

const DESIGNS: readonly (readonly [policy: string, collapse: CollapseMode])[] = [
  ['rcu', 'lazy'],
  ['rwlock', 'lazy'],
  ['rwlock', 'unmap-memslot'],
  ['rcu', 'unmap-memslot'],
  ['rwlock', 'zap-parent'],
  ['rwlock', 'in-place'],
];

/** What happens from the end of dirty logging until every vCPU has touched every block of its own again. */
interface AfterLogging {
  /** Virtual ns until logging is off and all was touched once meanwhile, and until all was touched once more. */
  readonly offNs: number;
  readonly againNs: number;
  /** The guest access that took longest, in either. */
  readonly longestNs: number;
  readonly faults: number;
  /** Share of blocks that are still mapped by pages. */
  readonly residual: number;
}

/** Blocks are split eagerly when logging begins; every second one is written throughout meanwhile, so that it needs no fault afterwards. */
export function afterLogging(policy: string, collapse: CollapseMode, vcpus: number, blocksPerVcpu: number): AfterLogging {
  const write = (vcpu: number, block: number, page: number, command: Command): true => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + (vcpu * blocksPerVcpu + block) * BLOCK + page * PAGE;
    return true;
  };
  const touch = (vcpu: number, n: number, command: Command): boolean => n < blocksPerVcpu && write(vcpu, n, 7, command);
  const blocks = vcpus * blocksPerVcpu;
  const figures = measurePhases({ vcpus, collapse, eagerSplitBytes: BLOCK }, policyByName(policy), [
    { name: 'create', vmm: [memslot(blocks * BLOCK, { thp: 1 })] },
    { name: 'populate', vcpus: touch },
    { name: 'log on', vmm: [{ kind: COMMAND.dirtyLogOn, memslot: 0 }] },
    {
      name: 'dirty',
      vcpus: (vcpu, n, command) => n < (blocksPerVcpu / 2) * 512 && write(vcpu, 2 * Math.floor(n / 512), n % 512, command),
    },
    { name: 'off', vmm: [{ kind: COMMAND.dirtyLogOff, memslot: 0 }], vcpus: touch },
    { name: 'again', vcpus: touch },
  ]);
  const [off, again] = [figures.get('off')!, figures.get('again')!];
  return {
    offNs: off.ns,
    againNs: again.ns,
    longestNs: Math.max(off.longestNs, again.longestNs),
    faults: off.counts[K.faultTaken]! + again.counts[K.faultTaken]!,
    residual: again.linkedTables / blocks,
  };
}

function run(size: Size): readonly Figure[] {
  const [vcpus, blocks] = size === 'small' ? [4, 4] : [16, 16];
  const micros = (ns: number): number => Math.round(ns / 100) / 10;
  const all = DESIGNS.map(([policy, collapse]) => ({ name: `${policy}, ${collapse}`, ...afterLogging(policy, collapse, vcpus, blocks) }));
  return [
    ...all.map((design) => ({ name: `${design.name}: us until logging is off and all is touched`, simulated: micros(design.offNs) })),
    ...all.map((design) => ({ name: `${design.name}: us until all is touched again`, simulated: micros(design.againNs) })),
    ...all.map((design) => ({ name: `${design.name}: longest access, us`, simulated: micros(design.longestNs) })),
    ...all.map((design) => ({ name: `${design.name}: faults a block`, simulated: design.faults / (vcpus * blocks) })),
    ...all.map((design) => ({
      name: `${design.name}: blocks still mapped by pages, %`,
      simulated: Math.round(1000 * design.residual) / 10,
    })),
  ];
}

/** The lab's own: ways to bring blocks back after dirty logging. */
export const afterLoggingExperiment: Experiment = {
  name: 'after-logging',
  title: 'Ways to bring blocks back when dirty logging ends: by faults, by unmapping the memslot, by the host',
  source: 'the lab itself; nobody published it',
  method:
    '16 vCPUs with 16 blocks each, all split; one half was written throughout while logging was on; one write to each block while it is switched off, ' +
    'one more afterwards.',
  costs: [],
  run,
};
