import type { Command, ReclaimPolicy } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot, PAGE } from './guest-memory.ts';

const POLICIES = ['rwlock', 'refs', 'hazard', 'epoch', 'hyp-lock', 'v6.1'];
const VCPUS = [1, 8, 48];

/** Virtual ns a fault when every vCPU maps all pages of a block of its own, page by page; the tables above are shared. */
export function faultNs(policy: ReclaimPolicy, vcpus: number, blocks: number, ipaBits: number): number {
  const pages = (blocks * BLOCK) / PAGE;
  const write = (vcpu: number, n: number, command: Command): boolean => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = MEMORY_IPA + (vcpu * pages + n) * PAGE;
    return n < pages;
  };
  const figures = measurePhases({ vcpus, ipaBits }, policy, [
    { name: 'create', vmm: [memslot(vcpus * blocks * BLOCK, {})] },
    { name: 'faults', vcpus: write },
  ]);
  return figures.get('faults')!.ns / pages;
}

function run(size: Size): readonly Figure[] {
  const rcu = policyByName('rcu');
  const policies = POLICIES.map((name) => policyByName(name));
  const figures = VCPUS.filter((vcpus) => size === 'whole' || vcpus <= 8).flatMap((vcpus): Figure[] => {
    const least = faultNs(rcu, vcpus, 1, 40);
    const at = `${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
    return [
      { name: `rcu: ns a fault, ${at}`, simulated: Math.round(least) },
      ...policies.map((policy) => ({ name: `${policy.name} / rcu, ${at}`, simulated: faultNs(policy, vcpus, 1, 40) / least })),
    ];
  });
  // Three levels below a 40-bit address space's root, four below one of 48 bits: the difference is what one more level costs.
  const perLevel = (name: string, vcpus: number): number => {
    const more = (ipaBits: number): number =>
      faultNs(policyByName(name), vcpus, 1, ipaBits) - faultNs(policyByName('rwlock'), vcpus, 1, ipaBits);
    return more(48) - more(40);
  };
  const levels = size === 'small' ? [1] : [1, 8];
  for (const vcpus of levels)
    for (const name of ['refs', 'hazard'])
      figures.push({
        name: `${name}: ns a fault more for each level, over rwlock, ${vcpus} vCPU${vcpus === 1 ? '' : 's'}`,
        simulated: Math.round(perLevel(name, vcpus)),
      });
  return figures;
}

/** The lab's own: what each policy adds to a fault that collapses nothing. */
export const policyFaultsExperiment: Experiment = {
  name: 'policy-faults',
  title: 'What each policy adds to faults that collapse nothing',
  source: 'the lab itself; nobody published it',
  method: 'every vCPU maps the 512 pages of a block of its own by faults; only the tables above are shared.',
  costs: [],
  run,
};
