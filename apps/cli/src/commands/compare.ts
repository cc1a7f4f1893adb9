import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { CoalesceMode, CollapseMode, TeardownOrder } from '@s2lab/engine';
import { durationArgument, seedArgument } from '../arguments.ts';
import type { ComparedDesign, ComparedRun } from '../compare/comparison.ts';
import { say, sayJson } from '../output.ts';
import { compact, Progress, virtualText } from '../progress.ts';
import { DEFAULT_SCENARIO } from '../run-options.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

interface CompareOptions {
  readonly policies: string;
  readonly vcpus: readonly number[];
  readonly collapse?: string;
  readonly teardown?: string;
  readonly tlbRange?: string;
  readonly coalesce?: string;
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
    .option('--collapse <modes>', 'collapse modes of every machine, divided by commas, or all')
    .option('--teardown <orders>', 'teardown before and after the block is installed: before, after, or all')
    .option('--tlb-range <on,off>', 'TLB invalidation by range (FEAT_TLBIRANGE): on, off, or all')
    .option('--coalesce <modes>', 'how hosts of pkvm machines get their blocks back: coalescing modes, divided by commas, or all')
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
  s2lab compare migration --policies rcu,rwlock --collapse all
  s2lab compare protected --policies hyp-lock,epoch --coalesce all
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

/** The names in an option's text, divided by commas; `all` stands for all of them. @throws UsageError when one does not exist */
function named<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  if (text === 'all') return [...known];
  return text.split(',').map((word) => {
    const name = known.find((candidate) => candidate === word);
    if (name === undefined) throw new UsageError(`${option}: '${word}' does not exist; there are ${known.join(', ')}`);
    return name;
  });
}

/** What is compared: every combination. Where an axis was not asked for, each machine keeps what its scenario says. */
interface Axes {
  readonly policies: readonly string[];
  readonly vcpus: readonly number[];
  readonly collapse: readonly (CollapseMode | undefined)[];
  readonly teardown: readonly (TeardownOrder | undefined)[];
  readonly tlbRange: readonly (boolean | undefined)[];
  readonly coalesce: readonly (CoalesceMode | undefined)[];
}

function designs(axes: Axes): ComparedDesign[] {
  return axes.vcpus.flatMap((vcpus) =>
    axes.policies.flatMap((policy) =>
      axes.collapse.flatMap((collapse) =>
        axes.teardown.flatMap((teardown) =>
          axes.tlbRange.flatMap((tlbRange) => axes.coalesce.map((coalesce) => ({ policy, vcpus, collapse, teardown, tlbRange, coalesce }))),
        ),
      ),
    ),
  );
}

async function compare(name: string, options: CompareOptions): Promise<void> {
  const [{ loadScenario }, { POLICIES }, { COALESCE_MODES, COLLAPSE_MODES, TEARDOWN_ORDERS }, { compareRun }] = await Promise.all([
    import('@s2lab/fleet'),
    import('@s2lab/policies'),
    import('@s2lab/engine'),
    import('../compare/comparison.ts'),
  ]);
  const { scenario, recordings } = await loadScenario(name);
  // A hypervisor at EL2 cannot give every policy what it needs; asked for by name, such a policy is refused.
  const atEl2 = scenario.machines.some(({ kind }) => kind === 'pkvm');
  const lazily = atEl2 && [...(options.coalesce?.split(',') ?? []), ...scenario.machines.map(({ coalesce }) => coalesce)];
  const dropsTables = lazily && (lazily.includes('lazy') || lazily.includes('all'));
  const usable = POLICIES.filter(
    ({ capabilities, visitors }) => !atEl2 || (capabilities.usableAtEl2 && !(dropsTables && visitors !== undefined)),
  );
  const asked = <Name extends string>(option: string, text: string | undefined, names: readonly Name[]) =>
    text === undefined ? [undefined] : named(option, text, names);
  const policies = named(
    '--policies',
    options.policies === 'all' ? usable.map(({ name: policy }) => policy).join(',') : options.policies,
    POLICIES.map((policy) => policy.name),
  );
  const axes: Axes = {
    policies,
    vcpus: options.vcpus,
    collapse: asked('--collapse', options.collapse, COLLAPSE_MODES),
    teardown: asked('--teardown', options.teardown, TEARDOWN_ORDERS),
    tlbRange: asked('--tlb-range', options.tlbRange, ['on', 'off']).map((word) => (word === undefined ? undefined : word === 'on')),
    coalesce: asked('--coalesce', options.coalesce, COALESCE_MODES),
  };
  if (scenario.durationNs === undefined && options.duration === undefined && scenario.name === 'demo')
    throw new UsageError(`${name} has no end: say --duration, such as --duration 20ms`);
  const signal = stopSignal();
  const progress = new Progress(options.json === true);
  const runs: ComparedRun[] = [];
  for (const design of designs(axes)) {
    progress.update(() => [design.policy, design.collapse, `${design.vcpus} vCPUs`].filter(Boolean).join(', '));
    if (!signal.aborted)
      runs.push(await compareRun(scenario, recordings, design, { seed: options.seed, untilNs: options.duration, signal }));
  }
  progress.end();
  const columns = COLUMNS.filter(([heading]) => heading !== 'design' || runs.some((run) => run.design !== ''));
  const table = [columns.map(([heading]) => heading), ...runs.map((run) => columns.map(([, text]) => text(run)))];
  if (options.output !== undefined) {
    const { htmlReport } = await import('../compare/report.ts');
    const until = options.duration === undefined ? '' : ` --duration ${options.duration / 1e6}ms`;
    const command = `npx s2lab compare ${name} --policies ${policies.join(',')} --vcpus ${options.vcpus.join(',')}${axisText(options)} --seed ${options.seed}${until}`;
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

/** The axes that were asked for, as on the command line. */
function axisText({ collapse, teardown, tlbRange, coalesce }: CompareOptions): string {
  const axes = { '--collapse': collapse, '--teardown': teardown, '--tlb-range': tlbRange, '--coalesce': coalesce };
  return Object.entries(axes)
    .map(([option, names]) => (names === undefined ? '' : ` ${option} ${names}`))
    .join('');
}

const COLUMNS: readonly (readonly [heading: string, text: (run: ComparedRun) => string])[] = [
  ['policy', (r) => r.policy],
  ['design', (r) => r.design],
  ['vCPUs', (r) => String(r.vcpus)],
  ['verdict', (r) => r.verdict],
  ['virtual time', (r) => virtualText(r.virtualNs)],
  ['events', (r) => compact(r.events)],
  ['faults', (r) => compact(r.faults)],
  ['collapses', (r) => compact(r.collapses)],
  ['blocks back', (r) => compact(r.blocksReturned)],
  ['per virtual s', (r) => compact(Math.round(r.collapseRate))],
  ['4K left', (r) => (r.residual4k === null ? '–' : `${(100 * r.residual4k).toFixed(1)} %`)],
  ['pending peak', (r) => String(r.pendingPeak)],
  ['mean', (r) => (r.pendingIntegral / r.virtualNs).toFixed(2)],
  ['oldest', (r) => virtualText(r.oldestPendingNs)],
  ['spins', (r) => compact(r.spins)],
  ['lost swaps', (r) => compact(r.swapsFailed)],
  ['retries', (r) => compact(r.walkRetries)],
  ['blocked', (r) => virtualText(r.blockedNs)],
  ['longest', (r) => virtualText(r.blockedLongestNs)],
  ['lock waits', (r) => compact(r.lockWaits)],
  ['waited', (r) => virtualText(r.lockWaitNs)],
  ['TLBIs', (r) => compact(r.tlbInvalidations)],
  ['DSBs', (r) => compact(r.barriers)],
  ['tables peak', (r) => `${Math.round(r.tableBytesPeak / 1024)} KiB`],
];

/** Columns of words. */
const LEFT: ReadonlySet<string> = new Set(['policy', 'design']);

function asText(table: readonly (readonly string[])[]): string {
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  return table
    .map((row) => row.map((text, c) => (LEFT.has(table[0]![c]!) ? text.padEnd(widths[c]!) : text.padStart(widths[c]!))).join('  '))
    .join('\n');
}
