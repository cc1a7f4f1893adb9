import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { durationArgument, seedArgument } from '../arguments.ts';
import type { ComparedRun } from '../compare/comparison.ts';
import { say, sayJson } from '../output.ts';
import { compact, Progress, virtualText } from '../progress.ts';
import { DEFAULT_SCENARIO } from '../run-options.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

interface CompareOptions {
  readonly policies: string;
  readonly vcpus: readonly number[];
  readonly seed: number;
  readonly duration?: number;
  readonly output?: string;
  readonly json?: boolean;
}

/** `compare`: one scenario under several policies and numbers of vCPUs, side by side. */
export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('run a scenario under several policies and numbers of vCPUs, and set their figures side by side')
    .argument('[scenario]', 'built-in scenario, or path of a scenario file', DEFAULT_SCENARIO)
    .option('--policies <names>', 'policies, divided by commas, or all', 'all')
    .option('--vcpus <numbers>', 'numbers of vCPUs of every machine, divided by commas', vcpusArgument, [4])
    .option('--seed <n>', 'seed of everything random', seedArgument, 1)
    .option('--duration <time>', 'virtual time at which to stop, such as 10ms', durationArgument)
    .option('-o, --output <file>', 'also write one HTML file with plots, which needs nothing else')
    .option('--json', 'print results as JSON')
    .addHelpText(
      'after',
      `
Examples:
  s2lab compare migration --vcpus 1,2,4,8
  s2lab compare preempted --policies rcu,rwlock -o report.html
  s2lab compare boot --vcpus 1,16 --json`,
    )
    .action(compare);
}

function vcpusArgument(text: string): number[] {
  return text.split(',').map((word) => {
    const vcpus = Number(word);
    if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > 512)
      throw new InvalidArgumentError('Expected whole numbers from 1 to 512, such as 1,2,4.');
    return vcpus;
  });
}

async function compare(name: string, options: CompareOptions): Promise<void> {
  const [{ loadScenario }, { POLICIES }, { compareRun }] = await Promise.all([
    import('@s2lab/fleet'),
    import('@s2lab/policies'),
    import('../compare/comparison.ts'),
  ]);
  const { scenario, recordings } = await loadScenario(name);
  const known = POLICIES.map((policy) => policy.name);
  // A hypervisor at EL2 cannot give every policy what it needs; asked for by name, such a policy is refused.
  const atEl2 = scenario.machines.some(({ kind }) => kind === 'pkvm');
  const usable = POLICIES.filter(({ capabilities }) => !atEl2 || capabilities.usableAtEl2).map((policy) => policy.name);
  const policies = options.policies === 'all' ? usable : options.policies.split(',');
  for (const policy of policies)
    if (!known.includes(policy)) throw new UsageError(`--policies: '${policy}' does not exist; there are ${known.join(', ')}`);
  if (scenario.durationNs === undefined && options.duration === undefined && scenario.name === 'demo')
    throw new UsageError(`${name} has no end: say --duration, such as --duration 20ms`);
  const signal = stopSignal();
  const progress = new Progress(options.json === true);
  const runs: ComparedRun[] = [];
  for (const vcpus of options.vcpus) {
    for (const policy of policies) {
      progress.update(() => `${policy}, ${vcpus} vCPUs`);
      if (!signal.aborted)
        runs.push(await compareRun(scenario, recordings, { policy, vcpus, seed: options.seed, untilNs: options.duration, signal }));
    }
  }
  progress.end();
  const table = [COLUMNS.map(([heading]) => heading), ...runs.map((run) => COLUMNS.map(([, text]) => text(run)))];
  if (options.output !== undefined) {
    const { htmlReport } = await import('../compare/report.ts');
    const command = `npx s2lab compare ${name} --policies ${policies.join(',')} --vcpus ${options.vcpus.join(',')} --seed ${options.seed}`;
    writeFileSync(
      options.output,
      htmlReport({ scenario: scenario.name, description: scenario.description, seed: options.seed, command }, runs, table),
    );
  }
  if (options.json === true) sayJson({ scenario: scenario.name, seed: options.seed, runs, report: options.output ?? null });
  else {
    say(asText(table));
    if (options.output !== undefined) say(`\nreport: ${options.output}`);
  }
  process.exitCode = signal.aborted ? 130 : runs.some((run) => run.verdict === 'violated') ? 1 : 0;
}

const COLUMNS: readonly (readonly [heading: string, text: (run: ComparedRun) => string])[] = [
  ['policy', (r) => r.policy],
  ['vCPUs', (r) => String(r.vcpus)],
  ['verdict', (r) => r.verdict],
  ['virtual time', (r) => virtualText(r.virtualNs)],
  ['events', (r) => compact(r.events)],
  ['faults', (r) => compact(r.faults)],
  ['collapses', (r) => compact(r.collapses)],
  ['per virtual s', (r) => compact(Math.round(r.collapseRate))],
  ['pending peak', (r) => String(r.pendingPeak)],
  ['mean', (r) => (r.pendingIntegral / r.virtualNs).toFixed(2)],
  ['oldest', (r) => virtualText(r.oldestPendingNs)],
  ['retries', (r) => compact(r.walkRetries)],
  ['lock waits', (r) => compact(r.lockWaits)],
  ['waited', (r) => virtualText(r.lockWaitNs)],
  ['TLBIs', (r) => compact(r.tlbInvalidations)],
  ['DSBs', (r) => compact(r.barriers)],
  ['tables peak', (r) => compact(r.tablesPeak)],
];

function asText(table: readonly (readonly string[])[]): string {
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  return table.map((row) => row.map((text, c) => (c === 0 ? text.padEnd(widths[c]!) : text.padStart(widths[c]!))).join('  ')).join('\n');
}
