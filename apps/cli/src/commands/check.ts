import { existsSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { bytesArgument, countArgument, seedArgument } from '../arguments.ts';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

/** Exit status when a limit ended the search before there was a verdict. */
const UNFINISHED = 3;
/** Most threads of one search. */
const THREADS_MAX = 64;

interface Options {
  readonly scenario?: string;
  readonly policy?: string;
  readonly all?: boolean;
  readonly walkers: number;
  readonly collapsers: number;
  readonly entries: number;
  readonly slots: number;
  readonly mappers?: number;
  readonly strategy?: 'bfs' | 'dfs' | 'dpor' | 'preemptions' | 'random' | 'pct';
  readonly executions: number;
  readonly seed: number;
  readonly depth: number;
  readonly preemptions: number;
  readonly except: readonly string[];
  readonly plain?: boolean;
  readonly reduce?: 'all' | 'symmetry' | 'partial-order';
  readonly maxMemory: number;
  readonly bitState?: number;
  readonly maxStates: number;
  readonly threads: number;
  readonly hardware: boolean;
  readonly memory: 'sc' | 'tso' | 'pso';
  readonly log?: string;
  readonly force?: boolean;
  readonly liveness?: boolean;
  readonly save?: string;
  readonly resume?: string;
  readonly write?: string;
  readonly logs?: string;
  readonly json?: boolean;
}

const SMALL = 'S1, S2, S3, S3A, S4, S5, S5R, S5T, or a mutant: S2N, S2Z, S3G, S4L';
const FULL =
  'collapse-fault, two-collapses, collapse-split, collapse-protect, collapse-young, unmap-fault, destroy-fault, reclaim-fault, reclaim-fault-lazy (docs/CHECKER.md)';

const REDUCE = 'small models: what may be left out (default: all; of dpor, symmetry only where it is named)';

/** `check`: every schedule of a scenario, on the full engine under a policy or in a small model, or the shortest counterexample. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .description('explore every schedule of a small scenario: safe within the bounds, or a counterexample')
    .option('--scenario <name>', `with --policy: ${FULL}; without: a small model: ${SMALL}`)
    .option('--policy <name>', 'check the full engine under this policy (s2lab policies)')
    .option('--all', 'the full engine: each policy in each scenario, or those that --policy and --scenario name')
    .option('--walkers <n>', 'walkers', countArgument, 2)
    .option('--collapsers <n>', 'collapsers', countArgument, 1)
    .option('--entries <n>', 'entries of the top table', countArgument, 1)
    .option('--slots <n>', 'full engine: descriptors in a table: 2, 4 or 8', countArgument, 2)
    .option('--mappers <n>', 'small models: mappers, which reuse freed pages (default: 0; of S2N 1)', countArgument)
    .addOption(
      new Option(
        '--strategy <strategy>',
        'order: breadth-first, depth-first, fewest preemptions first (full engine, its default), one execution of each class of equivalent ones (small models), or schedules drawn by chance (full engine)',
      ).choices(['bfs', 'dfs', 'preemptions', 'dpor', 'random', 'pct']),
    )
    .option('--executions <n>', 'random, pct: schedules to draw', countArgument, 10_000)
    .option('--seed <n>', 'random, pct: the seed', seedArgument, 1)
    .option('--depth <n>', 'pct: steps whose order a defect may need', countArgument, 3)
    .option('--preemptions <n>', 'full engine: see schedules with at most so many preemptions', countArgument, Infinity)
    .addOption(new Option('--except <rules...>', 'full engine: rules that are not judged, such as I12').default([], 'none'))
    .addOption(new Option('--reduce <what>', REDUCE).choices(['all', 'symmetry', 'partial-order']))
    .option('--liveness', 'full engine: look for executions that never end, too')
    .option('--plain', 'leave nothing out')
    .option('--max-memory <size>', 'memory that stored states may take', bytesArgument, 2 ** 31)
    .option('--max-states <n>', 'full engine: states stored before the search ends', countArgument, Infinity)
    .option(
      '--bit-state <size>',
      'full engine: keep bits for states, in so much memory; lossy: it finds what is wrong and never says safe',
      bytesArgument,
    )
    .option('--no-hardware', 'full engine: no TLBs and hardware walks; each fault is the walk of its handler alone')
    .addOption(
      new Option(
        '--memory <model>',
        'full engine: how stores become visible to other cores: at once (sc), late but in their order (tso), late in any order but for releases and barriers (pso)',
      )
        .choices(['sc', 'tso', 'pso'])
        .default('sc'),
    )
    .option('--threads <n>', 'full engine: threads that share one search; with --all: cells checked at once', countArgument, 1)
    .option('--log <file>', 'full engine: log of the counterexample (default: check-<scenario>-<policy>.arrow)')
    .option('-f, --force', 'replace that log if it exists')
    .option('--save <file>', 'full engine: where a search that was interrupted, or met a limit, is kept')
    .option('--resume <file>', 'full engine: go on with a search that was kept')
    .option('--write <file>', 'with --all: write the tables there, in Markdown')
    .option('--logs <folder>', 'with --all: write the log of each counterexample there')
    .option('--json', 'print the report as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab check --scenario collapse-fault --policy refs-naive
  s2lab check --scenario collapse-fault --policy eager --walkers 4 --slots 4 --strategy pct --seed 7
  s2lab check --scenario two-collapses --policy hazard --walkers 1 --memory pso --threads 2
  s2lab check --all --walkers 1 --max-states 20000 --threads 2
  s2lab check --scenario S1
  s2lab check --scenario S2 --walkers 4 --collapsers 2 --entries 2 --plain
  s2lab check --scenario S2 --walkers 3 --strategy dpor --json

What the scenarios are: docs/CHECKER.md. The verdicts: docs/verdicts.md.`,
    )
    .action(check);
}

async function check(options: Options): Promise<void> {
  if (options.all === true) return checkMatrix(options);
  if (options.scenario === undefined) throw new UsageError(`check: say --scenario: with --policy ${FULL}; without ${SMALL}`);
  if (options.policy === undefined) return checkSmall(options, options.scenario);
  return checkOnEngine(options, options.scenario, options.policy);
}

async function checkMatrix(options: Options): Promise<void> {
  const { FULL_SCENARIOS, refusal } = await import('@s2lab/checker');
  const { POLICIES } = await import('@s2lab/policies');
  const { checkAll } = await import('./check-all.ts');
  const policies = POLICIES.filter(({ name }) => options.policy === undefined || name === options.policy);
  const scenarios = FULL_SCENARIOS.filter(({ name }) => options.scenario === undefined || name === options.scenario);
  const asked = policies.flatMap((policy) =>
    scenarios.map((scenario) => ({ scenario: scenario.name, policy: policy.name, because: refusal(scenario, policy) })),
  );
  const cells = asked.flatMap(({ scenario, policy, because }) => (because === undefined ? [{ scenario, policy }] : []));
  const refused = asked.flatMap(({ scenario, policy, because }) => (because === undefined ? [] : [{ scenario, policy, because }]));
  if (asked.length === 0) throw new UsageError(`check --all: there is no such policy or scenario; scenarios: ${FULL}`);
  const { walkers, collapsers, entries, slots, maxMemory, maxStates, threads, json, write, logs, hardware, memory, except } = options;
  const setting = { bounds: { walkers, collapsers, entries, slots, hardware, memory }, maxBytes: maxMemory, maxStates, except };
  const decided = await checkAll({ cells, refused, setting, threads: Math.max(1, threads), json: json === true, write, logs });
  process.exitCode = decided ? 0 : UNFINISHED;
}

async function checkOnEngine(options: Options, scenario: string, name: string): Promise<void> {
  const { POLICIES } = await import('@s2lab/policies');
  const { checkFull, checkInThreads } = await import('./check-full.ts');
  const policy = POLICIES.find((candidate) => candidate.name === name);
  if (policy === undefined) throw new UsageError(`policy '${name}' does not exist; there are ${POLICIES.map((p) => p.name).join(', ')}`);
  const { strategy = 'preemptions', walkers, collapsers, entries, slots, hardware, memory } = options;
  const { preemptions, except, maxMemory, maxStates, bitState } = options;
  if (
    bitState !== undefined &&
    (options.plain === true || options.liveness === true || options.save !== undefined || options.resume !== undefined)
  )
    throw new UsageError('--bit-state keeps no states: it goes without --plain, --liveness, --save and --resume');
  if (strategy === 'dpor') throw new UsageError('dpor is for small models: on the full engine use bfs, dfs, preemptions, random or pct');
  const threads = threadsOf(options);
  const bounds = { walkers, collapsers, entries, slots, hardware, memory };
  const { json, log, force, save, resume } = options;
  // At once, and not after a search of minutes.
  if (log !== undefined && force !== true && existsSync(log))
    throw new UsageError(`log ${log}: exists already; choose another name, or have it replaced (--force)`);
  const output = { json: json === true, log, force: force === true, save, resume };
  if (strategy === 'random' || strategy === 'pct') {
    const { checkSampled } = await import('./check-full.ts');
    const { executions, seed, depth } = options;
    const violated = await checkSampled(scenario, bounds, policy, { draw: strategy, seed, executions, depth, except }, output);
    process.exitCode = violated ? 1 : UNFINISHED;
    return;
  }
  const checking = {
    scenario,
    policy,
    bounds,
    order: strategy,
    reduce: options.plain !== true,
    maxBytes: maxMemory,
    maxStates,
    except,
    maxPreemptions: preemptions,
    liveness: options.liveness === true,
    ...(bitState === undefined ? {} : { bitStateBytes: bitState }),
  };
  const verdict =
    threads > 1 && strategy !== 'dfs'
      ? await checkInThreads({ ...checking, order: strategy }, threads, output)
      : await checkFull(checking, output);
  process.exitCode = { safe: 0, violated: 1, unfinished: UNFINISHED, interrupted: 130 }[verdict];
}

/** Into how many threads one search goes. */
function threadsOf({ threads, strategy, bitState }: Options): number {
  if (threads < 1 || threads > THREADS_MAX) throw new UsageError(`${threads} threads: there may be 1 to ${THREADS_MAX}`);
  if (threads === 1) return 1;
  if (strategy === 'dfs')
    throw new UsageError('--threads goes without --strategy dfs, which always goes on from the one state found last: use bfs');
  if (strategy === 'random' || strategy === 'pct')
    throw new UsageError(`--threads goes without --strategy ${strategy}, which keeps no states to share: start several with other seeds`);
  if (bitState !== undefined)
    throw new UsageError('--threads goes without --bit-state, which goes depth-first: from the one state found last');
  return threads;
}

async function checkSmall(options: Options, scenario: string): Promise<void> {
  const { Check, formatReport } = await import('@s2lab/small-models');
  const { walkers, collapsers, entries, mappers, strategy = 'bfs', reduce, maxMemory } = options;
  const plain = options.plain === true;
  if (strategy === 'preemptions' || strategy === 'random' || strategy === 'pct')
    throw new UsageError(`${strategy} is for the full engine: say --policy, or use bfs, dfs or dpor`);
  if (options.threads !== 1)
    throw new UsageError('--threads is for the full engine: say --policy; a small model is searched in one thread');
  if (options.memory !== 'sc')
    throw new UsageError('--memory is for the full engine: say --policy; in small models memory is sequentially consistent');
  if (plain && strategy === 'dpor') throw new UsageError('--plain leaves nothing out, and dpor is a way of leaving out: use bfs or dfs');
  const bySymmetry = strategy === 'dpor' ? reduce === 'all' || reduce === 'symmetry' : reduce !== 'partial-order';
  const checking = new Check({
    scenario,
    bounds: { walkers, collapsers, entries, mappers },
    strategy,
    reductions: { symmetry: !plain && bySymmetry, partialOrder: !plain && reduce !== 'symmetry' },
    maxBytes: maxMemory,
  });
  const progress = new Progress(options.json === true);
  const stop = stopSignal();
  const began = performance.now();
  while (checking.advance() && !stop.aborted) {
    progress.update(() => {
      const { storedStates, executions, transitions } = checking.counts;
      const done = executions === null ? `${compact(storedStates)} states` : `${compact(executions)} executions`;
      return `${scenario}: ${done}, ${compact(transitions)} steps`;
    });
    await breathe(); // signals are heard
  }
  progress.end();
  const report = checking.report();
  const seconds = (performance.now() - began) / 1000;
  if (options.json === true) sayJson({ ...report, log: null, seconds });
  else say(`${formatReport(report)}\n${seconds.toFixed(2)} s`);
  const unfinished = stop.aborted ? 130 : UNFINISHED;
  process.exitCode = { safe: 0, violated: 1, unfinished }[report.verdict];
}
