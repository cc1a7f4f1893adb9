import { setImmediate as breathe } from 'node:timers/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { bytesArgument, countArgument } from '../arguments.ts';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

/** Exit status when a limit ended the search before there was a verdict. */
const UNFINISHED = 3;

interface Options {
  readonly scenario: string;
  readonly walkers: number;
  readonly collapsers: number;
  readonly entries: number;
  readonly mappers?: number;
  readonly strategy: 'bfs' | 'dfs' | 'dpor';
  readonly plain?: boolean;
  readonly reduce: 'all' | 'symmetry' | 'partial-order';
  readonly maxMemory: number;
  readonly json?: boolean;
}

/** `check`: every schedule of a small scenario, or the shortest counterexample. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .description('explore every schedule of a small scenario: safe within the bounds, or a counterexample')
    .requiredOption('--scenario <name>', 'small scenario: S1, S2, S3, S3A, S4, S5, S5R, S5T, or a mutant: S2N, S2Z, S3G, S4L')
    .option('--walkers <n>', 'walkers', countArgument, 2)
    .option('--collapsers <n>', 'collapsers', countArgument, 1)
    .option('--entries <n>', 'entries of the top table', countArgument, 1)
    .option('--mappers <n>', 'mappers, which reuse freed pages (default: 0; of S2N 1)', countArgument)
    .addOption(
      new Option('--strategy <strategy>', 'order: breadth-first, depth-first, or one execution of each class of equivalent ones')
        .choices(['bfs', 'dfs', 'dpor'])
        .default('bfs'),
    )
    .addOption(new Option('--reduce <what>', 'what bfs and dfs may leave out').choices(['all', 'symmetry', 'partial-order']).default('all'))
    .option('--plain', 'leave nothing out')
    .option('--max-memory <size>', 'memory that stored states may take', bytesArgument, 2 ** 31)
    .option('--json', 'print the report as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab check --scenario S1
  s2lab check --scenario S2 --walkers 4 --collapsers 2 --entries 2 --plain
  s2lab check --scenario S2 --walkers 3 --strategy dpor --json

What the scenarios are: docs/CHECKER.md.`,
    )
    .action(check);
}

async function check(options: Options): Promise<void> {
  const { Check, formatReport } = await import('@s2lab/checker');
  const { scenario, walkers, collapsers, entries, mappers, strategy, reduce, maxMemory } = options;
  const plain = options.plain === true;
  if (plain && strategy === 'dpor') throw new UsageError('--plain leaves nothing out, and dpor is a way of leaving out: use bfs or dfs');
  const checking = new Check({
    scenario,
    bounds: { walkers, collapsers, entries, mappers },
    strategy,
    reductions: { symmetry: !plain && reduce !== 'partial-order', partialOrder: !plain && reduce !== 'symmetry' },
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
