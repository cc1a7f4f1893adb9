import type { FullBounds } from './full-bounds.ts';
import { FULL_SCENARIOS } from './full-scenarios.ts';
import type { FullReport } from './full-check.ts';
import { boundsText, plural } from './full-report-text.ts';

/** What bounds a matrix. */
export interface MatrixBounds extends FullBounds {
  /** Most states that were stored for one cell. */
  readonly maxStates: number;
  /** Ids of rules that were not judged. */
  readonly except: readonly string[];
}

/** A verdict in a cell of the matrix. */
function cellText(report: FullReport | undefined): string {
  if (report === undefined) return '–';
  const { verdict, bounds, counterexample, counterexampleSteps, unfinishedBecause } = report;
  if (verdict === 'violated') return `**${counterexample!.invariant ?? counterexample!.kind}**, ${counterexampleSteps} steps`;
  if (bounds.preemptions !== null && bounds.preemptions >= 0) return `≤ ${bounds.preemptions} preemptions`;
  return verdict === 'safe' ? 'safe' : `unfinished: ${unfinishedBecause}`;
}

/** A cell that was not searched, since the scenario's machine refuses the policy. */
export interface RefusedCell {
  readonly scenario: string;
  readonly policy: string;
  readonly because: string;
}

/** The reports of a matrix as tables in Markdown: verdicts by scenario and policy, then why each violation is one. */
export function matrixText(reports: readonly FullReport[], refused: readonly RefusedCell[], bounds: MatrixBounds): string {
  const cells = [...reports, ...refused];
  const policies = [...new Set(cells.map(({ policy }) => policy))];
  const scenarios = FULL_SCENARIOS.filter(({ name }) => cells.some(({ scenario }) => scenario === name));
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const at = (policy: string, scenario: string) => reports.find((report) => report.policy === policy && report.scenario === scenario);
  const isRefused = (policy: string, scenario: string) => refused.some((cell) => cell.policy === policy && cell.scenario === scenario);
  const lines = [
    `Bounds: ${boundsText(bounds)}; at most ${bounds.maxStates.toLocaleString('en')} states a cell${bounds.except.length === 0 ? '' : `; not judged: ${bounds.except.join(', ')}`}.`,
    '',
    row(['policy', ...scenarios.map(({ name }) => name)]),
    row(['---', ...scenarios.map(() => '---')]),
    ...policies.map((policy) =>
      row([`\`${policy}\``, ...scenarios.map(({ name }) => (isRefused(policy, name) ? 'refused' : cellText(at(policy, name))))]),
    ),
  ];
  const violated = reports.filter(({ verdict }) => verdict === 'violated');
  if (violated.length > 0)
    lines.push('', row(['policy', 'scenario', 'steps', 'choices', 'because']), row(['---', '---', '---', '---', '---']));
  for (const { policy, scenario, counterexampleSteps, counterexample, shortest } of violated) {
    const { invariant, kind, because, schedule } = counterexample!;
    // Met by another order; the breadth-first search for the fewest choices was over its limit.
    const choices = shortest ? String(schedule.length) : `≤ ${schedule.length}`;
    lines.push(row([`\`${policy}\``, scenario, String(counterexampleSteps), choices, `${invariant ?? kind}: ${because}`]));
  }
  for (const { policy, scenario, because } of refused) lines.push('', `\`${policy}\` is refused in ${scenario}: ${because}.`);
  const states = reports.reduce((sum, { storedStates }) => sum + storedStates, 0);
  lines.push('', `${plural(reports.length, 'cell')}, ${states.toLocaleString('en')} states stored.`);
  return lines.join('\n');
}
