/*
 * What each policy adds to the engine's CPU time per event, on migration (4 vCPUs: parallel faults, splits, collapses), events written but not kept.
 * Prints JSON lines. Every policy runs in a fresh process, so that none is judged by the machine code of the one before.
 */
import { spawnSync } from 'node:child_process';
import { POLICIES, policyByName } from '@s2lab/policies';
import { builtinScenarios, machineConfigFor, plannedMachines, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const SCENARIO = 'migration';
const RUNS = 7;
const ROUNDS = 3;

/** CPU ns per event of one whole run. */
function run(policyName: string, seed: number): number {
  const scenario = builtinScenarios.get(SCENARIO)!;
  const policy = policyByName(policyName);
  const fleet = new FleetRun(
    plannedMachines(scenario).map(({ index }) => ({
      origin: { run: 'bench', machine: index, policy: policy.name, machineKind: 'kvm', workload: scenario.name },
      config: machineConfigFor(scenario, index, seed),
      policy,
      workload: workloadFor(scenario, index, seed),
    })),
  );
  const start = process.cpuUsage();
  let events = 0;
  for (let frame = fleet.nextFrame(Infinity); frame !== undefined; frame = fleet.nextFrame(Infinity)) events += frame.rows.length;
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / events;
}

/** CPU ns per event in a fresh process. */
function measure(policy: string): number {
  const child = spawnSync(process.execPath, [import.meta.filename, policy], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`the bench of ${policy} ended with ${child.status}: ${child.stderr}`);
  return Number(child.stdout);
}

function report(name: string, value: number, unit: string, target?: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better: 'lower' }));
}

const [only] = process.argv.slice(2);
if (only !== undefined) {
  // Least of some runs of the same work: what else runs on the machine only ever adds to it, and the first one warms the compiler up.
  console.log(Math.min(...Array.from({ length: RUNS }, () => run(only, 1))));
} else {
  const rounds = Array.from({ length: ROUNDS }, () => POLICIES.map(({ name }) => measure(name)));
  const times = POLICIES.map((_, i) => Math.min(...rounds.map((round) => round[i]!)));
  const cheapest = Math.min(...times);
  for (const [i, { name }] of POLICIES.entries()) {
    report(`policy ${name}`, times[i]!, 'CPU ns/event');
    report(`policy ${name} over the cheapest`, times[i]! / cheapest, '×', 1.25);
  }
}
