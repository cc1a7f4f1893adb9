import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';
import { Progress } from '../progress.ts';
import { UsageError } from '../usage-error.ts';

interface ReproduceOptions {
  readonly small?: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

/** `reproduce`: published measurements repeated on the engine, figure beside figure. */
export function addReproduce(program: Command): void {
  program
    .command('reproduce')
    .description('repeat published measurements on the engine: each published ratio beside the simulated one, and the deviation')
    .argument('[experiment...]', 'names of experiments, as this command prints them; all by default')
    .option('--small', 'smaller runs: coarser figures, in seconds')
    .option('-o, --output <file>', 'also write one HTML file with all tables, which needs nothing else')
    .option('--json', 'print results as JSON')
    .addHelpText(
      'after',
      `
Examples:
  s2lab reproduce
  s2lab reproduce parallel-faults --json
  s2lab reproduce -o reproduced.html

A figure is fitted when a cost was chosen so that it comes out; every other one is a prediction. A miss is a result and no error: exit status 0.
Every cost that differs from the defaults is printed with its reason. docs/findings.md says what the figures mean.`,
    )
    .action(reproduce);
}

async function reproduce(names: readonly string[], options: ReproduceOptions): Promise<void> {
  const [{ EXPERIMENTS, experimentByName }, { experimentText, reproduced, totalText }] = await Promise.all([
    import('@s2lab/experiments'),
    import('../reproduce/reproduced.ts'),
  ]);
  const known = EXPERIMENTS.map(({ name }) => name);
  for (const name of names)
    if (!known.includes(name)) throw new UsageError(`experiment '${name}' does not exist; there are ${known.join(', ')}`);
  const experiments = names.length === 0 ? EXPERIMENTS : names.map((name) => experimentByName(name));
  const progress = new Progress(options.json === true);
  const results = [];
  for (const experiment of experiments) {
    progress.update(() => `${experiment.name}: ${results.length} of ${experiments.length} experiments done`);
    const result = reproduced(experiment, options.small === true ? 'small' : 'whole');
    results.push(result);
    progress.end();
    if (options.json !== true) for (const line of experimentText(result)) say(line);
  }
  if (options.output !== undefined) {
    const { reproducedHtml } = await import('../reproduce/report.ts');
    writeFileSync(options.output, reproducedHtml(results));
  }
  if (options.json === true) sayJson({ experiments: results, report: options.output ?? null });
  else {
    say(totalText(results));
    if (options.output !== undefined) say(`report: ${options.output}`);
  }
}
