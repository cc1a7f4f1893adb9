import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import type { RunOptions } from '../run-options.ts';
import { DEFAULT_SCENARIO, withRunOptions } from '../run-options.ts';
import { stopSignal } from '../stop-signal.ts';

/** `run`: a scenario at full speed, checked, with its figures; nothing is recorded. */
export function addRun(program: Command): void {
  withRunOptions(program.command('run'))
    .description('run a scenario at full speed, check its events and print its figures; nothing is recorded')
    .argument('[scenario]', 'built-in scenario, or path of a scenario file', DEFAULT_SCENARIO)
    .option('--no-verify', 'do not check the events')
    .addHelpText(
      'after',
      `
Examples:
  s2lab run
  s2lab run boot --policy rwlock --seed 3
  s2lab run ./mine.json --duration 5ms --json`,
    )
    .action(run);
}

async function run(name: string, options: RunOptions & { verify: boolean }): Promise<void> {
  const [
    { assembleFleet, loadScenario, MetricsSink, pump },
    { EventMetrics },
    { VerifyingSink },
    { formatVerdict },
    { summarise, summaryTable },
  ] = await Promise.all([
    import('@s2lab/fleet'),
    import('@s2lab/metrics'),
    import('@s2lab/verifier'),
    import('@s2lab/invariants'),
    import('../summary.ts'),
  ]);
  const { scenario, recordings } = await loadScenario(name);
  const fleet = assembleFleet(scenario, { seed: options.seed, policy: options.policy, recordings });
  const metrics = new EventMetrics();
  const verifier = options.verify ? new VerifyingSink() : undefined;
  const progress = new Progress(options.json === true);
  const show = {
    write: async () => progress.update(() => `${scenario.name}: ${compact(eventsOf(metrics))} events`),
    close: async () => {},
  };
  const began = performance.now();
  const outcome = await pump(fleet.producer, [new MetricsSink(metrics), ...(verifier === undefined ? [] : [verifier]), show], {
    speed: 0,
    untilNs: options.duration ?? scenario.durationNs,
    signal: stopSignal(),
  });
  const seconds = (performance.now() - began) / 1000;
  progress.end();
  const machines = Array.from(metrics.machines(), summarise);
  const verdict = verifier?.verdict();
  if (options.json === true) {
    sayJson({
      run: fleet.run,
      scenario: scenario.name,
      seed: options.seed,
      ...outcome,
      wallSeconds: seconds,
      machines,
      verdict: verdict ?? null,
    });
  } else {
    say(summaryTable(machines));
    say('');
    say(
      `${fleet.run}: ${compact(outcome.events)} events in ${seconds.toFixed(2)} s (${compact(outcome.events / seconds)} events/s)${outcome.interrupted ? ', interrupted' : ''}`,
    );
    if (verdict !== undefined) say(formatVerdict(verdict));
  }
  process.exitCode = verdict?.verdict === 'violated' ? 1 : outcome.interrupted ? 130 : 0;
}

function eventsOf(metrics: { samples(name: 's2lab_events_total'): readonly { readonly value: number }[] }): number {
  return metrics.samples('s2lab_events_total').reduce((sum, sample) => sum + sample.value, 0);
}
