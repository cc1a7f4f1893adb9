import type { CheckReport } from './check.ts';

/** A report for people: the verdict with its bounds, what was searched, and the counterexample step by step. */
export function formatReport(report: CheckReport): string {
  const { verdict, scenario, bounds, counterexample } = report;
  const within = `${plural(bounds.walkers, 'walker')}, ${plural(bounds.collapsers, 'collapser')}, ${plural(bounds.mappers, 'mapper')}, ${plural(bounds.entries, 'entry', 'entries')}`;
  const lines = [
    {
      safe: `${scenario} is safe within these bounds: ${within}`,
      violated: `${scenario} is violated within these bounds: ${within}`,
      unfinished: `${scenario} is not decided within these bounds: ${within}: ${report.unfinishedBecause}`,
    }[verdict],
    searched(report),
  ];
  if (counterexample !== null) {
    lines.push('', `${counterexample.steps.length} steps, ${report.shortest ? 'the fewest that there can be' : 'maybe not the fewest'}:`);
    for (const [n, { process, does, changes }] of counterexample.steps.entries()) {
      lines.push(`${String(n + 1).padStart(3)}. ${process.padEnd(12)} ${does}${changes.length === 0 ? '' : `   ${changes.join(', ')}`}`);
    }
    lines.push(`${counterexample.kind}: ${counterexample.because}`);
  }
  return lines.join('\n');
}

function searched({ reachedStates, storedStates, transitions, executions, strategy, reductions }: CheckReport): string {
  const left = reductions.length === 0 ? 'nothing left out' : `reduced by ${reductions.join(', ')}`;
  const what = executions === null ? `${storedStates} states stored, ${reachedStates} reached` : plural(executions, 'execution');
  return `${strategy}, ${left}: ${what}, ${transitions} steps`;
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
