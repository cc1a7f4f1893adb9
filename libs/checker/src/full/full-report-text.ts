import type { FullReport } from './full-check.ts';
import type { FullBounds } from './full-bounds.ts';

/** Memory models in words, after the other bounds. */
const MEMORY_TEXT = { sc: '', tso: ', total store order', pso: ', partial store order' } as const;

/** Bounds in words. */
export function boundsText({ walkers, collapsers, entries, slots, hardware, memory = 'sc' }: FullBounds): string {
  const tables = entries === 1 ? `one table of ${slots} slots` : `${entries} tables of ${slots} slots`;
  return `${plural(walkers, 'walker')}, ${plural(collapsers, 'collapser')}, ${tables}${hardware ? '' : ', no hardware walks'}${MEMORY_TEXT[memory]}`;
}

/** A report on the full engine for people: the verdict with its bounds, what was searched, and what is wrong. */
export function formatFullReport(report: FullReport): string {
  const { verdict, scenario, policy, bounds, counterexample, unfinishedBecause } = report;
  const what = `${policy} in ${scenario}`;
  const rules = report.except.length === 0 ? '' : `, rules but ${report.except.join(', ')}`;
  const within = `${boundsText(bounds)}${rules}${bounds.preemptions === null ? '' : `, at most ${plural(Math.max(0, bounds.preemptions), 'preemption')}`}`;
  const seen = bounds.preemptions !== null && bounds.preemptions >= 0;
  const lines = [
    {
      safe: `${what} is safe within these bounds: ${within}`,
      violated: `${what} is violated within these bounds: ${within}`,
      unfinished: seen
        ? `${what} is safe within these bounds: ${within}; with more preemptions it is not decided: ${unfinishedBecause}`
        : `${what} is not decided within these bounds: ${boundsText(bounds)}: ${unfinishedBecause}`,
    }[verdict],
    searched(report),
  ];
  if (counterexample !== null) {
    const { kind, invariant, because, schedule } = counterexample;
    const choices = plural(schedule.length, 'choice');
    const fewest = invariant === null ? 'the fewest that there can be' : `the fewest that break ${invariant}`;
    lines.push('', `${plural(report.counterexampleSteps!, 'step')} by ${choices}, ${report.shortest ? fewest : 'maybe not the fewest'}`);
    lines.push(`${kind === 'violation' ? invariant : kind}: ${because}`);
    if (counterexample.loop !== null) lines.push(`the last ${plural(counterexample.loop, 'choice')} come again and again`);
  }
  return lines.join('\n');
}

function searched({ storedStates, transitions, judgedPaths, strategy, reductions }: FullReport): string {
  const left = reductions.length === 0 ? 'nothing left out' : `reduced by ${reductions.join(', ')}`;
  return `${strategy}, ${left}: ${storedStates} states stored, ${transitions} steps, ${judgedPaths} paths judged by the rules`;
}

/** A count and what is counted. */
export function plural(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}
