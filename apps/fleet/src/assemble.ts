import { createHash } from 'node:crypto';
import type { FrameOrigin } from '@s2lab/events';
import type { ReclaimPolicy } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';
import type { Recordings, Scenario } from '@s2lab/scenarios';
import { ScenarioError, machineConfigFor, plannedMachines, workloadFor } from '@s2lab/scenarios';
import type { MachineSetup } from '@s2lab/scheduler';
import { FleetRun } from '@s2lab/scheduler';

/** What a run needs besides its scenario. */
export interface FleetOptions {
  readonly seed: number;
  /** Name of the run, or what makes it of the default: that follows from scenario, seed and policy, so that equal runs have equal names. */
  readonly runId?: string | ((derived: string) => string) | undefined;
  /** Policy of all machines, instead of the scenario’s. */
  readonly policy?: string | undefined;
  /** Recordings that the scenario’s workloads name. */
  readonly recordings?: Recordings | undefined;
  /** Number of the first machine; services that share a topic count from different ones. */
  readonly machineBase?: number | undefined;
}

/** Machines ready to run. */
export interface Fleet {
  readonly run: string;
  readonly machines: readonly FrameOrigin[];
  readonly producer: FleetRun;
}

/**
 * Puts machines, policies and workloads together: the one place where they meet.
 * @throws ScenarioError when a machine of the scenario cannot be, or names a policy that does not exist
 */
export function assembleFleet(scenario: Scenario, options: FleetOptions): Fleet {
  const { runId = runName(scenario, options) } = options;
  const run = typeof runId === 'string' ? runId : runId(runName(scenario, options));
  const setups = plannedMachines(scenario).map(({ index, spec }): MachineSetup => {
    const policy = namedPolicy(scenario, options.policy ?? spec.policy);
    const hostPolicy = namedPolicy(scenario, options.policy ?? spec.hostPolicy ?? spec.policy);
    if (spec.kind === 'pkvm') for (const asked of [policy, hostPolicy]) refuseAtEl2(scenario, asked);
    refuseUncounted(scenario, spec.coalesce, hostPolicy);
    const label = spec.kind === 'pkvm' && hostPolicy !== policy ? `${policy.name}+${hostPolicy.name}` : policy.name;
    const origin = {
      run,
      machine: (options.machineBase ?? 0) + index,
      policy: label,
      machineKind: spec.kind,
      workload: scenario.name,
    };
    return {
      origin,
      policy,
      hostPolicy,
      config: machineConfigFor(scenario, index, options.seed, options.recordings),
      workload: workloadFor(scenario, index, options.seed, options.recordings),
    };
  });
  return { run, machines: setups.map(({ origin }) => origin), producer: new FleetRun(setups) };
}

/** Name of a run: equal for equal scenario, seed and policy. */
function runName(scenario: Scenario, options: FleetOptions): string {
  const parts = JSON.stringify([scenario, options.seed, options.policy ?? null]);
  return `${scenario.name}-${createHash('sha256').update(parts).digest('hex').slice(0, 10)}`;
}

/** What the hypervisor at EL2 cannot give a policy. @throws ScenarioError that names it and says why */
function refuseAtEl2(scenario: Scenario, { name, capabilities }: ReclaimPolicy): void {
  if (capabilities.usableAtEl2) return;
  const why = capabilities.needsRcu ? 'it needs RCU, and there is none at EL2' : 'it is not usable at EL2';
  throw new ScenarioError(scenario.name, [`policy '${name}' is refused for a pkvm machine: ${why} (s2lab policies shows which are)`]);
}

/** Visitors of another time count every leaf. @throws ScenarioError that says so */
function refuseUncounted(scenario: Scenario, coalesce: string, { name, visitors }: ReclaimPolicy): void {
  if (coalesce !== 'lazy' || visitors === undefined) return;
  const why = 'its walks count every leaf, so no count says that the host alone has pages below a table';
  throw new ScenarioError(scenario.name, [`coalesce 'lazy' is refused with policy '${name}' for the host: ${why}`]);
}

function namedPolicy(scenario: Scenario, name: string): ReturnType<typeof policyByName> {
  try {
    return policyByName(name);
  } catch (cause) {
    throw new ScenarioError(scenario.name, [(cause as Error).message]);
  }
}
