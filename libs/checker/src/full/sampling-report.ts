import type { FullReport } from './full-check.ts';
import { boundsText, plural } from './full-report-text.ts';
import type { FullBounds } from './full-bounds.ts';
import type { Draw, Sampling, SamplingOptions } from './sampling.ts';

/** What schedules drawn at random have shown. They never show that a scenario is safe. */
export interface SamplingReport {
  readonly verdict: 'violated' | 'unfinished';
  readonly scenario: string;
  readonly policy: string;
  readonly bounds: FullBounds;
  readonly except: readonly string[];
  readonly strategy: Draw;
  readonly seed: number;
  readonly depth: number;
  readonly executions: number;
  readonly transitions: number;
  readonly unendedExecutions: number;
  /** Pairs of steps seen one after the other by two actors, and the execution that brought the last new one. */
  readonly pairs: number;
  readonly lastNewPair: number;
  readonly counterexampleSteps: number | null;
  readonly counterexample: FullReport['counterexample'];
  readonly unfinishedBecause: string | null;
}

/** The report on a sampling, as far as it is. */
export function samplingReport(
  sampling: Sampling,
  scenario: string,
  policy: string,
  bounds: FullBounds,
  { draw, seed, depth, except }: SamplingOptions,
): SamplingReport {
  const found = sampling.counterexample();
  const { executions, steps, unended, pairs, lastNewPair } = sampling;
  return {
    verdict: found === undefined ? 'unfinished' : 'violated',
    scenario,
    policy,
    bounds,
    except,
    strategy: draw,
    seed,
    depth,
    executions,
    transitions: steps,
    unendedExecutions: unended,
    pairs,
    lastNewPair,
    counterexampleSteps: found?.steps ?? null,
    counterexample:
      found === undefined
        ? null
        : { kind: found.kind, invariant: found.invariant, because: found.because, schedule: [...found.schedule], loop: null },
    unfinishedBecause: found === undefined ? `${plural(executions, 'schedule')} of very many were drawn` : null,
  };
}

/** The report for people. */
export function formatSampling(report: SamplingReport): string {
  const { scenario, policy, bounds, strategy, seed, executions, pairs, lastNewPair, counterexample } = report;
  const what = `${policy} in ${scenario}, ${boundsText(bounds)}`;
  const drawn = `${strategy}, seed ${seed}: ${plural(executions, 'execution')}, ${plural(report.transitions, 'step')}`;
  const lines = [
    counterexample === null ? `${what}: nothing found; that does not make it safe` : `${what}: violated`,
    `${drawn}; ${plural(pairs, 'pair')} of steps seen, the last new one in execution ${lastNewPair}`,
  ];
  if (report.unendedExecutions > 0) lines.push(`${plural(report.unendedExecutions, 'execution')} did not end`);
  if (counterexample !== null) {
    const { kind, invariant, because } = counterexample;
    lines.push('', `${plural(report.counterexampleSteps!, 'step')}, shrunk`, `${kind === 'violation' ? invariant : kind}: ${because}`);
  }
  return lines.join('\n');
}
