/*
 * A live migration of a large guest: 4 GiB of memory a vCPU, all of it populated by 2 MiB blocks, split into 4K pages when dirty logging begins (eager
 * splitting), written to in passes, and made blocks again in place when logging ends. Every page of the guest has its descriptor: 1 M a
 * vCPU. Events are counted, by the fold that the metrics are made of, and not kept. 4 vCPUs; 64 (67 M pages) with `npm run bench -- --full`. One run is one process.
 */
import { EventMetrics } from '@s2lab/metrics';
import { policyByName } from '@s2lab/policies';
import { machineConfigFor, parseScenario, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const POLICY = 'rcu';
const BYTES_PER_VCPU = 2 ** 32;
const KERNEL_BYTES = 2 ** 26;
const full = process.env.S2LAB_BENCH === 'full';
/** The size that has a target. */
const FULL_VCPUS = 64;
const vcpus = full ? FULL_VCPUS : 4;
const memoryBytes = vcpus * BYTES_PER_VCPU;
const note = full ? undefined : 'a sixteenth; all 64 vCPUs: npm run bench -- --only large-migration --full';

const scenario = parseScenario(
  {
    name: 'large-migration',
    machines: [
      {
        policy: POLICY,
        vcpus,
        memoryBytes,
        eagerSplitBytes: '1GiB',
        collapse: 'in-place',
        workload: {
          type: 'migration',
          params: {
            // The initial RAM disk is the rest of memory, touched once a block.
            kernelBytes: KERNEL_BYTES,
            initrdBytes: memoryBytes - KERNEL_BYTES,
            strideBytes: '2MiB',
            randomTouches: 1000,
            windowBytes: '16MiB',
            driftAccesses: 16,
            skew: 1,
            notifierNs: 0,
            thinkNs: 10_000,
          },
        },
      },
    ],
  },
  'bench',
);

const run = new FleetRun([
  {
    origin: { run: 'bench', machine: 0, policy: POLICY, machineKind: 'kvm', workload: scenario.name },
    config: machineConfigFor(scenario, 0, 1),
    policy: policyByName(POLICY),
    workload: workloadFor(scenario, 0, 1),
  },
]);
const metrics = new EventMetrics();
const before = process.cpuUsage();
let events = 0;
for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) {
  metrics.observe(frame);
  events += frame.rows.length;
}
const { user, system } = process.cpuUsage(before);
const seconds = (user + system) / 1e6;
const [tally] = metrics.machines();
const tablesMiB = (tally!.tablesPeak * 2 ** tally!.pageShift) / 2 ** 20;

function report(what: string, value: number, unit: string, better: 'lower' | 'higher', target?: number): void {
  const name = `migration, ${vcpus} vCPUs × 4 GiB: ${what}`;
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better, note }));
}

// A part of the guest has that part of the time. Memory has a share that does not shrink with the guest: only the whole has a target.
report('CPU time', seconds, 's', 'lower', (180 * vcpus) / FULL_VCPUS);
report('peak resident memory', process.resourceUsage().maxRSS / 2 ** 20, 'GiB', 'lower', full ? 8 : undefined);
report('table pages at most', tablesMiB, 'MiB', 'lower');
report('events', events / 1e6, 'M events', 'lower');
report('CPU time an event', (seconds * 1e9) / events, 'ns', 'lower');
