import { parseScenario } from './parse-scenario.ts';
import type { Scenario, ScenarioInput } from './scenario-schema.ts';

/** Machine of the demonstration and of `migration`: small enough that a cycle takes some tens of virtual milliseconds. */
const MIGRATING = {
  kind: 'kvm',
  vcpus: 4,
  memoryBytes: '256MiB',
  memslots: 2,
  workload: {
    type: 'migration',
    params: {
      kernelBytes: '8MiB',
      initrdBytes: '8MiB',
      randomTouches: 2000,
      windowBytes: '4MiB',
      driftAccesses: 1,
      skew: 2,
      thinkNs: 2000,
      passNs: 2_000_000,
      slowdownPercent: 120,
      collapseNs: 10_000_000,
      recreateMemslots: true,
    },
  },
} as const;

const ENDLESS = { ...MIGRATING, workload: { type: 'migration', params: { ...MIGRATING.workload.params, cycles: 0 } } } as const;

const SMALL = { vcpus: 4, memoryBytes: '64MiB' } as const;

/** No notifier calls: they take the lock for write and would make everyone wait for whoever is held up. */
const UNDISTURBED = {
  ...MIGRATING,
  policy: 'rcu',
  workload: { type: 'migration', params: { ...MIGRATING.workload.params, cycles: 2, notifierNs: 0 } },
} as const;

const INPUTS: readonly ScenarioInput[] = [
  {
    name: 'demo',
    description: 'Endless migration cycles on four machines, two with RCU and two with a reader-writer lock, one after another in phase.',
    machines: [
      { ...ENDLESS, policy: 'rcu', count: 2, startAfterNs: 0, staggerNs: 12_000_000 },
      { ...ENDLESS, policy: 'rwlock', count: 2, startAfterNs: 6_000_000, staggerNs: 12_000_000 },
    ],
  },
  {
    name: 'boot',
    description: 'A guest boots: kernel and initial RAM disk are touched by all vCPUs at once, then memory at random.',
    machines: [{ policy: 'rcu', vcpus: 4, memoryBytes: '256MiB', workload: { type: 'boot', params: { randomTouches: 5000 } } }],
  },
  {
    name: 'steady',
    description: 'Skewed reads, writes and instruction fetches over a working set; the host ages and unmaps ranges now and then.',
    machines: [
      {
        policy: 'rcu',
        vcpus: 4,
        memoryBytes: '256MiB',
        workload: { type: 'steady', params: { accessesPerVcpu: 50_000, workingSetBytes: '64MiB', notifierNs: 500_000 } },
      },
    ],
  },
  {
    name: 'migration',
    description: 'Three migration cycles: boot, steady state, dirty logging in passes, logging off, blocks come back by guest faults.',
    machines: [{ ...MIGRATING, policy: 'rcu', workload: { type: 'migration', params: { ...MIGRATING.workload.params, cycles: 3 } } }],
  },
  {
    name: 'mixed',
    description: 'The migration cycle under RCU and under a reader-writer lock, on two and on eight vCPUs, side by side.',
    machines: [2, 8].flatMap((vcpus) =>
      ['rcu', 'rwlock'].map((policy) => ({
        ...MIGRATING,
        policy,
        vcpus,
        workload: { type: 'migration' as const, params: { ...MIGRATING.workload.params, cycles: 2 } },
      })),
    ),
  },
  {
    name: 'smoke',
    description: 'One short migration cycle on a small machine, for tests: every phase, few events.',
    machines: [
      {
        policy: 'rcu',
        vcpus: 2,
        memoryBytes: '8MiB',
        workload: {
          type: 'migration',
          params: {
            kernelBytes: '256KiB',
            initrdBytes: '256KiB',
            randomTouches: 50,
            passes: 2,
            thinkNs: 5000,
            steadyNs: 200_000,
            passNs: 200_000,
            collapseNs: 400_000,
            notifierNs: 50_000,
            recreateMemslots: true,
          },
        },
      },
    ],
  },
  {
    name: 'balloon',
    description: 'A balloon takes half of guest memory away by pages and gives it back: huge pages are split, and faults bring pages back.',
    machines: [
      { ...SMALL, policy: 'rcu', workload: { type: 'balloon', params: { accessesPerVcpu: 20_000, workingSetBytes: '32MiB', skew: 1 } } },
    ],
  },
  {
    name: 'ageing',
    description: 'The host goes round guest memory, ages it, swaps out what nobody touched since, and the guest faults it in again.',
    machines: [
      {
        ...SMALL,
        policy: 'rcu',
        workload: { type: 'ageing', params: { accessesPerVcpu: 20_000, workingSetBytes: '16MiB', windowBytes: '2MiB', driftAccesses: 40 } },
      },
    ],
  },
  {
    name: 'churn',
    description: 'Memslots are deleted and created again under a running guest, one after another.',
    machines: [
      {
        ...SMALL,
        memslots: 4,
        policy: 'rcu',
        workload: { type: 'churn', params: { accessesPerVcpu: 20_000, churnedSlots: 3, skew: 1 } },
      },
    ],
  },
  {
    name: 'destroy',
    description:
      'The stage-2 is destroyed while vCPUs still fault: what they were about to map is not mapped, and every later access aborts.',
    machines: [
      { ...SMALL, thp: 0, policy: 'rcu', workload: { type: 'destroy', params: { skew: 1, thinkNs: 200, destroyAfterNs: 1_000_000 } } },
    ],
  },
  {
    name: 'fleet-mix',
    description:
      'Machines of every kind and under every safe policy beside each other: boot, steady state, migrations, ballooning, ageing, churn.',
    machines: [
      { ...SMALL, policy: 'rcu', count: 2, staggerNs: 500_000, workload: { type: 'boot', params: { randomTouches: 3000 } } },
      { ...SMALL, policy: 'rwlock', workload: { type: 'steady', params: { accessesPerVcpu: 10_000, notifierNs: 100_000 } } },
      { ...SMALL, policy: 'hazard', workload: { type: 'balloon', params: { accessesPerVcpu: 10_000, skew: 1 } } },
      {
        ...SMALL,
        policy: 'epoch',
        workload: { type: 'ageing', params: { accessesPerVcpu: 10_000, workingSetBytes: '16MiB', windowBytes: '2MiB', driftAccesses: 20 } },
      },
      { ...SMALL, policy: 'refs', memslots: 4, workload: { type: 'churn', params: { accessesPerVcpu: 10_000, churnedSlots: 3 } } },
      { ...SMALL, policy: 'hyp-lock', workload: { type: 'destroy', params: { destroyAfterNs: 3_000_000 } } },
      { ...MIGRATING, policy: 'rcu', count: 2, staggerNs: 5_000_000, startAfterNs: 1_000_000 },
      { ...MIGRATING, policy: 'rwlock', collapse: 'unmap-memslot' },
      { ...MIGRATING, policy: 'epoch', collapse: 'in-place', vcpus: 8 },
      { ...MIGRATING, policy: 'v6.1', collapse: 'zap-parent', vcpus: 2 },
    ],
  },
  {
    name: 'preempted',
    description:
      'Walkers are taken off the CPU in mid-walk while blocks come back: under RCU the grace period waits and pending frees grow.',
    machines: [UNDISTURBED],
    faults: [{ kind: 'preempted-walkers', durationNs: 8_000_000, oneIn: 100, vcpus: 1, phases: ['collapse'] }],
  },
  {
    name: 'stalled-grace-periods',
    description:
      'The reclaim worker is held up while blocks come back: what policies that defer their frees have retired stays pending, and grows.',
    machines: [UNDISTURBED],
    faults: [{ kind: 'stalled-grace-periods', durationNs: 4_000_000, oneIn: 500, phases: ['collapse'] }],
  },
  {
    name: 'slow-tlbi',
    description:
      'Now and then a core answers a broadcast TLBI late: who breaks a descriptor waits, and so does everyone who meets it locked.',
    machines: [UNDISTURBED],
    faults: [{ kind: 'slow-tlbi', durationNs: 200_000, oneIn: 20 }],
  },
  {
    name: 'empty-cache',
    description: 'Now and then no table pages are to be had: faults and splits fail with -ENOMEM and are taken again.',
    machines: [{ ...UNDISTURBED, eagerSplitBytes: '2MiB' }],
    faults: [{ kind: 'empty-cache', oneIn: 20 }],
  },
  {
    name: 'reference-race',
    description:
      'The race of references as the thread has them: a walker reads the link to a table, is taken off the CPU, and a collapse frees the table before it has its reference. Violates I1; every safe policy holds.',
    machines: [
      {
        policy: 'refs-naive',
        vcpus: 4,
        memoryBytes: '4MiB',
        workload: {
          type: 'migration',
          params: {
            kernelBytes: '256KiB',
            initrdBytes: '256KiB',
            randomTouches: 50,
            cycles: 4,
            passes: 2,
            thinkNs: 2000,
            steadyNs: 50_000,
            passNs: 100_000,
            collapseNs: 1_000_000,
            notifierNs: 0,
          },
        },
      },
    ],
    // Off the CPU from the last write that logging must catch until after logging has ended and blocks come back.
    faults: [{ kind: 'preempted-walkers', durationNs: 400_000, level: 3, oneIn: 3, vcpus: 1, phases: ['dirtyLogging'] }],
  },
  {
    name: 'protected',
    description:
      'Protected guests come and go on four cores: the host’s blocks are broken by donations, its pages come back when a guest ends, its blocks never.',
    machines: [{ kind: 'pkvm', policy: 'hyp-lock', vcpus: 4, memoryBytes: '1GiB', workload: { type: 'protected-guests', params: {} } }],
  },
  {
    name: 'coexist',
    description:
      'A KVM guest under RCU and a pKVM machine whose host and guests have policies of their own, side by side; blocks of the host are coalesced.',
    machines: [
      { ...MIGRATING, policy: 'rcu', workload: { type: 'migration', params: { ...MIGRATING.workload.params, cycles: 1 } } },
      {
        kind: 'pkvm',
        policy: 'hyp-lock',
        hostPolicy: 'epoch',
        coalesce: 'eager',
        vcpus: 4,
        memoryBytes: '1GiB',
        workload: { type: 'protected-guests', params: { lives: 3 } },
      },
    ],
  },
];

/** The scenarios that come with the lab, by name; `demo` is what `npm start` runs. */
export const builtinScenarios: ReadonlyMap<string, Scenario> = new Map(
  INPUTS.map((input) => [input.name, parseScenario(input, `scenario ${input.name}`)]),
);
