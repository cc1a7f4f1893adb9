import { pathText, problemLines } from './problem-text.ts';
import { CORES_MAX, leastMemory } from './protected-arena.ts';
import type { MachineSpec, Scenario } from './scenario-schema.ts';
import { scenarioSchema } from './scenario-schema.ts';

/** IPA at which guest memory begins: 1 GiB, as in QEMU’s `virt` machine; below lie devices. */
export const GUEST_MEMORY_IPA = 2 ** 30;

/** A scenario that cannot be used. The message is one line: file, path in it, what was expected, what was found. */
export class ScenarioError extends Error {
  /** Every problem, one line each. */
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    const more = problems.length - 1;
    super(`${source}: ${problems[0]}${more > 0 ? ` (and ${more} more ${more === 1 ? 'problem' : 'problems'})` : ''}`);
    this.name = 'ScenarioError';
    this.problems = problems;
  }
}

/**
 * Validates a scenario and fills in its defaults. Unknown keys are refused; whether a policy of that name exists is not looked at.
 * @param value the parsed JSON
 * @param source where it came from, for messages
 * @throws ScenarioError
 */
export function parseScenario(value: unknown, source: string): Scenario {
  const outcome = scenarioSchema.safeParse(value);
  if (!outcome.success) throw new ScenarioError(source, problemLines(outcome.error, value));
  const problems = outcome.data.machines.flatMap((spec, i) => machineProblems(spec).map((p) => `${pathText(['machines', i])}.${p}`));
  if (problems.length > 0) throw new ScenarioError(source, problems);
  return outcome.data;
}

/**
 * As `parseScenario`, from the text of a file.
 * @throws ScenarioError also when the text is not JSON
 */
export function parseScenarioText(text: string, source: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ScenarioError(source, [`not JSON: ${(cause as Error).message.split('\n', 1)[0]}`]);
  }
  return parseScenario(value, source);
}

/** What a schema of single fields cannot see: sizes that do not fit each other. */
function machineProblems(spec: MachineSpec): string[] {
  const problems: string[] = [];
  if (spec.workload.type === 'recorded') return problems;
  const pageBytes = 2 ** spec.pageShift;
  const unit = pageBytes * spec.memslots;
  if (spec.memoryBytes === 0 || spec.memoryBytes % unit !== 0) {
    problems.push(`memoryBytes: expected a multiple of ${unit} (granule × memslots) above 0, found ${spec.memoryBytes}`);
  }
  if (GUEST_MEMORY_IPA + spec.memoryBytes > 2 ** spec.ipaBits) {
    problems.push(`ipaBits: expected enough for ${spec.memoryBytes} bytes of memory from IPA 0x40000000 on, found ${spec.ipaBits}`);
  }
  const { hugetlb, eagerSplitBytes } = spec;
  if (hugetlb !== undefined && (hugetlb < pageBytes || !Number.isInteger(Math.log2(hugetlb)))) {
    problems.push(`hugetlb: expected a power of two, at least the granule of ${pageBytes}, found ${hugetlb}`);
  }
  if (eagerSplitBytes % pageBytes !== 0) problems.push(`eagerSplitBytes: expected a multiple of ${pageBytes}, found ${eagerSplitBytes}`);
  return [...problems, ...kindProblems(spec), ...paramProblems(spec, pageBytes)];
}

/** Workloads and kinds of machines belong together. */
function kindProblems({ kind, workload, hostPolicy, coalesce, memoryBytes, vcpus }: MachineSpec): string[] {
  const problems: string[] = [];
  const isPkvm = kind === 'pkvm';
  if (isPkvm !== (workload.type === 'protected-guests'))
    problems.push(`workload.type: expected ${isPkvm ? "'protected-guests'" : 'one for a kvm machine'}, found '${workload.type}'`);
  if (!isPkvm && hostPolicy !== undefined) problems.push('hostPolicy: a kvm machine has no stage-2 of its host');
  if (!isPkvm && coalesce !== 'none') problems.push('coalesce: a kvm machine has no stage-2 of its host');
  if (workload.type !== 'protected-guests' || !isPkvm) return problems;
  if (vcpus > CORES_MAX) problems.push(`vcpus: expected at most ${CORES_MAX} cores, found ${vcpus}`);
  const least = leastMemory(vcpus, workload.params.guestBytes);
  if (memoryBytes < least) problems.push(`memoryBytes: expected at least ${least} for ${vcpus} guests at a time, found ${memoryBytes}`);
  return problems;
}

function paramProblems(spec: MachineSpec, pageBytes: number): string[] {
  const problems: string[] = [];
  const params = spec.workload.params as Readonly<Record<string, unknown>>;
  const sizeOf = (name: string) => (typeof params[name] === 'number' ? (params[name] as number) : undefined);
  const check = (name: string, min: number) => {
    const bytes = sizeOf(name);
    if (bytes !== undefined && (bytes < min || bytes > spec.memoryBytes || bytes % pageBytes !== 0)) {
      problems.push(`workload.params.${name}: expected a multiple of ${pageBytes} from ${min} to memoryBytes, found ${bytes}`);
    }
  };
  check('workingSetBytes', pageBytes);
  check('windowBytes', pageBytes);
  check('notifierBytes', pageBytes);
  check('strideBytes', pageBytes);
  check('chunkBytes', pageBytes);
  check('scanBytes', pageBytes);
  if (spec.workload.type === 'churn' && spec.workload.params.churnedSlots >= spec.memslots)
    problems.push(
      `workload.params.churnedSlots: expected fewer than memslots (${spec.memslots}), found ${spec.workload.params.churnedSlots}`,
    );
  check('kernelBytes', 0);
  check('initrdBytes', 0);
  check('guestBytes', pageBytes);
  const image = (sizeOf('kernelBytes') ?? 0) + (sizeOf('initrdBytes') ?? 0);
  if (image > spec.memoryBytes)
    problems.push(`workload.params: kernelBytes and initrdBytes together expected to fit in memoryBytes, found ${image}`);
  const shares = (sizeOf('writePercent') ?? 0) + (sizeOf('executePercent') ?? 0);
  if (shares > 100) problems.push(`workload.params: writePercent and executePercent together expected at most 100, found ${shares}`);
  return problems;
}
