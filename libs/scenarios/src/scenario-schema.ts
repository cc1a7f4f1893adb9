import { COALESCE_MODES, COLLAPSE_MODES, DEFAULT_COSTS, TEARDOWN_ORDERS } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import { z } from 'zod';
import {
  ageingParams,
  balloonParams,
  bootParams,
  bytes,
  churnParams,
  destroyParams,
  migrationParams,
  protectedGuestsParams,
  recordedParams,
  steadyParams,
} from './workload-params.ts';

const SECOND_NS = 1_000_000_000;
const HOUR_NS = 3600 * SECOND_NS;

function nanoseconds(max: number): z.ZodInt {
  return z.int().min(0).max(max);
}

const features = z.strictObject({
  fwb: z.boolean().optional().meta({ description: 'FEAT_S2FWB: stage 2 forces write-back' }),
  tlbRange: z.boolean().optional().meta({ description: 'FEAT_TLBIRANGE: TLB invalidation by range' }),
  xnx: z.boolean().optional().meta({ description: 'FEAT_XNX: execute-never apart for EL0 and EL1' }),
  hardwareAccessFlag: z.boolean().optional().meta({ description: 'FEAT_HAF: the hardware walker sets the access flag' }),
  dic: z.boolean().optional().meta({ description: 'FEAT_DIC: no instruction cache maintenance; memory is mapped executable at once' }),
});

const workload = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('boot'), params: bootParams.prefault({}) }),
  z.strictObject({ type: z.literal('steady'), params: steadyParams.prefault({}) }),
  z.strictObject({ type: z.literal('balloon'), params: balloonParams.prefault({}) }),
  z.strictObject({ type: z.literal('ageing'), params: ageingParams.prefault({}) }),
  z.strictObject({ type: z.literal('churn'), params: churnParams.prefault({}) }),
  z.strictObject({ type: z.literal('destroy'), params: destroyParams.prefault({}) }),
  z.strictObject({ type: z.literal('migration'), params: migrationParams.prefault({}) }),
  z.strictObject({ type: z.literal('protected-guests'), params: protectedGuestsParams.prefault({}) }),
  z.strictObject({ type: z.literal('recorded'), params: recordedParams }),
]);

const powerOfTwo = z
  .int()
  .min(1)
  .max(65536)
  .refine((n) => (n & (n - 1)) === 0, { error: 'expected a power of two up to 65536' });

const policyName = z
  .string()
  .regex(/^[a-z][a-z0-9.-]*$/, { error: 'expected the name of a reclaim policy, such as rcu (s2lab policies lists them)' });

const machine = z.strictObject({
  count: z.int().min(1).max(256).default(1).meta({ description: 'How many machines of this kind' }),
  kind: z.enum(['kvm', 'pkvm']).default('kvm').meta({
    description: 'kvm: one guest, managed by the kernel; pkvm: a hypervisor at EL2 manages the stage-2 of the host and of each guest',
  }),
  policy: policyName.meta({ description: 'Reclaim policy of the guests’ stage-2s, by name' }),
  hostPolicy: policyName.optional().meta({ description: 'Reclaim policy of the host’s stage-2 (pkvm); absent = that of the guests' }),
  coalesce: z.enum(COALESCE_MODES).default('none').meta({ description: 'How the blocks of the host’s stage-2 come back (pkvm)' }),
  vcpus: z.int().min(1).max(512).default(4).meta({ description: 'Virtual CPUs, of pkvm cores; a recording brings its own number' }),
  memoryBytes: bytes.prefault('256MiB').meta({ description: 'Guest memory, from IPA 1 GiB on; of pkvm the host’s, from PA 1 GiB on' }),
  memslots: z.int().min(1).max(64).default(1).meta({ description: 'Memslots that the memory is divided into' }),
  pageShift: z
    .literal([12, 14, 16], { error: 'expected 12 (4K), 14 (16K) or 16 (64K)' })
    .default(12)
    .meta({ description: 'log2 of the granule' }),
  ipaBits: z.int().min(32).max(52).default(40).meta({ description: 'Bits of intermediate physical address' }),
  features: features.prefault({}).meta({ description: 'Features of the CPUs' }),
  thp: z
    .int()
    .min(0)
    .max(1024)
    .default(1)
    .meta({ description: 'Transparent huge pages: 0 none, 1 behind every aligned block, k > 1 behind all blocks but every k-th' }),
  hugetlb: bytes.optional().meta({ description: 'Page size of hugetlbfs behind the memory; absent = ordinary pages' }),
  eagerSplitBytes: bytes.prefault(0).meta({ description: 'Chunk of eager splitting at dirty logging, 0 = off' }),
  collapse: z.enum(COLLAPSE_MODES).default('lazy').meta({ description: 'What the host does about split blocks when dirty logging ends' }),
  recoveryTurnBytes: bytes
    .prefault(0)
    .meta({ description: 'What collapse in-place recovers before it flushes and offers the lock, 0 = up to the next largest block' }),
  teardown: z
    .enum(TEARDOWN_ORDERS)
    .default('after')
    .meta({ description: 'Whether the sub-tree that a block replaces goes to the policy before or after the block is installed' }),
  initiallyAllSet: z.boolean().default(false).meta({ description: 'Manual protect, dirty log initially all set' }),
  cacheCapacity: z.int().min(4).max(1024).optional().meta({ description: 'Table pages a vCPU’s cache is topped up to' }),
  tlbEntries: powerOfTwo.optional().meta({ description: 'Cached translations per vCPU' }),
  walkCacheEntries: powerOfTwo.optional().meta({ description: 'Walk-cache entries per vCPU' }),
  startAfterNs: nanoseconds(HOUR_NS).default(0).meta({ description: 'Virtual time at which the first machine starts' }),
  staggerNs: nanoseconds(HOUR_NS).default(0).meta({ description: 'How much later each further machine of this kind starts' }),
  workload,
});

const phaseName = z.enum(Object.keys(PHASE) as [keyof typeof PHASE, ...(keyof typeof PHASE)[]]);

const whenInjected = {
  oneIn: z.int().min(1).max(0xffff_ffff).meta({ description: 'Chance: one in so many commands of an actor' }),
  vcpus: z.int().min(1).max(512).optional().meta({ description: 'Only the first so many vCPUs, and not the VMM thread' }),
  phases: z.array(phaseName).min(1).optional().meta({ description: 'Only in these phases' }),
};

function lasting(description: string): z.ZodInt {
  return nanoseconds(2 * SECOND_NS)
    .min(1)
    .meta({ description });
}

/** Schema of one fault that is injected: what `faults` of a scenario may hold. */
export const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('preempted-walkers'),
    durationNs: lasting('How long the vCPU is off the CPU, in the middle of its next walk'),
    level: z
      .int()
      .min(0)
      .max(3)
      .default(0)
      .meta({ description: 'Level of the table whose link it has just read then, 0 = the first one below the root' }),
    ...whenInjected,
  }),
  z.strictObject({
    kind: z.literal('slow-tlbi'),
    durationNs: lasting('How much longer the next broadcast TLBI of the actor takes to complete'),
    ...whenInjected,
  }),
  z.strictObject({
    kind: z.literal('empty-cache'),
    pages: z.int().min(0).max(1024).default(0).meta({ description: 'Table pages that the cache still holds when no more are to be had' }),
    ...whenInjected,
  }),
  z.strictObject({
    kind: z.literal('stalled-grace-periods'),
    durationNs: lasting('How long the reclaim worker is stalled before it goes on with what is retired'),
    ...whenInjected,
  }),
]);

const costs = z.strictObject(Object.fromEntries(Object.keys(DEFAULT_COSTS).map((name) => [name, nanoseconds(10 * SECOND_NS).optional()])));

/** Schema of a scenario file: the one source of validation, of the types and of the published JSON Schema. */
export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional().meta({ description: 'Where the JSON Schema of scenarios is, for editors' }),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, { error: 'expected a name of small letters, digits and hyphens' }),
    description: z.string().max(2000).default(''),
    machines: z.array(machine).min(1).max(256),
    faults: z.array(faultSchema).default([]).meta({ description: 'Faults injected into every machine' }),
    costs: costs.prefault({}).meta({ description: 'Virtual nanoseconds of single steps, where they differ from the defaults' }),
    durationNs: nanoseconds(24 * HOUR_NS)
      .min(1)
      .optional()
      .meta({ description: 'Virtual time at which the run stops; absent = when all workloads end' }),
  })
  .meta({ title: 'Stage-2 Lab scenario' });

/** A scenario, checked and complete: sizes are bytes, defaults are filled in. */
export type Scenario = z.output<typeof scenarioSchema>;

/** What a scenario file may hold: sizes may be texts, what has a default may be absent. */
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** One entry of `machines`: `count` machines of one kind. */
export type MachineSpec = Scenario['machines'][number];

/** One entry of `faults`. */
export type FaultSpec = Scenario['faults'][number];

/**
 * The schema of scenario files as JSON Schema (draft 2020-12), for editors; published as docs/schema/scenario.schema.json.
 */
export function scenarioJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(scenarioSchema, { io: 'input' }) as Record<string, unknown>;
}
