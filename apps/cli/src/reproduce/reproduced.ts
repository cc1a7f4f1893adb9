import type { Experiment, Figure, Judgement, Size, StatedCost } from '@s2lab/experiments';
import { deviation, judge } from '@s2lab/experiments';

/** A figure with what it says. */
interface ReproducedFigure extends Figure {
  /** Simulated over published, less 1; null when nobody published it. */
  readonly deviation: number | null;
  readonly judgement: Judgement;
}

/** An experiment that was run. */
export interface Reproduced {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly method: string;
  readonly costs: readonly StatedCost[];
  readonly figures: readonly ReproducedFigure[];
}

/** Runs an experiment and judges its figures. */
export function reproduced({ name, title, source, method, costs, run }: Experiment, size: Size): Reproduced {
  const figures = run(size).map((figure) => ({ ...figure, deviation: deviation(figure) ?? null, judgement: judge(figure) }));
  return { name, title, source, method, costs, figures };
}

/** The table of an experiment's figures as texts: headings, then rows. */
export function figureTable({ figures }: Reproduced): string[][] {
  return [
    ['figure', 'published', 'simulated', 'deviation', '', ''],
    ...figures.map((figure) => [
      figure.name,
      figure.published === undefined ? '–' : amount(figure.published),
      amount(figure.simulated),
      figure.deviation === null ? '' : `${figure.deviation >= 0 ? '+' : '−'}${Math.abs(100 * figure.deviation).toFixed(1)} %`,
      judgementText(figure),
      figure.fitted === true ? 'fitted' : 'predicted',
    ]),
  ];
}

function amount(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toPrecision(3);
}

function judgementText({ judgement, tolerance = 0 }: ReproducedFigure): string {
  const percent = `${Math.round(100 * tolerance)} %`;
  switch (judgement) {
    case 'equal':
      return 'equal';
    case 'within':
      return `within ${percent}`;
    case 'rounding':
      return `within ${percent} of what the rounded figure may stand for`;
    case 'miss':
      return tolerance === 0 ? 'MISS: should be equal' : `MISS: more than ${percent}`;
    case 'shown':
      return 'not judged';
    default: {
      const never: never = judgement;
      return never;
    }
  }
}

/** Lines of an experiment for a terminal. */
export function experimentText(result: Reproduced): string[] {
  const table = figureTable(result);
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  const padded = table.map((row) =>
    row.map((text, c) => (c === 0 || c > 3 ? text.padEnd(widths[c]!) : text.padStart(widths[c]!))).join('  '),
  );
  return [
    `${result.name}: ${result.title}`,
    `  ${result.source}`,
    `  ${result.method}`,
    ...costLines(result).map((line) => `  ${line}`),
    '',
    ...padded.map((line) => `  ${line.trimEnd()}`),
    '',
  ];
}

/** The costs in force besides the defaults, a line each. */
export function costLines({ costs }: Reproduced): string[] {
  if (costs.length === 0) return ['costs: the defaults'];
  return costs.map(({ cost, ns, fitted, why }) => `cost ${cost} ${ns} ns, ${fitted ? 'fitted' : 'taken'}: ${why}`);
}

/** How many figures are reproduced, in one line. */
export function totalText(results: readonly Reproduced[]): string {
  const judged = results.flatMap(({ figures }) => figures).filter(({ judgement }) => judgement !== 'shown');
  const missed = judged.filter(({ judgement }) => judgement === 'miss');
  const predictions = judged.filter(({ fitted }) => fitted !== true);
  const held = predictions.filter(({ judgement }) => judgement !== 'miss');
  return `${judged.length - missed.length} of ${judged.length} figures reproduced; of ${predictions.length} predictions ${held.length} held`;
}
