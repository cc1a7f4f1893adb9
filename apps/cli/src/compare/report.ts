import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ComparedRun } from './comparison.ts';

const require = createRequire(import.meta.url);

/** What a report is about. */
export interface ReportHead {
  readonly scenario: string;
  readonly description: string;
  readonly seed: number;
  /** The command that repeats it. */
  readonly command: string;
}

/**
 * A comparison as one HTML file: figures, and plots of virtual time and lock waits by vCPUs, pending frees over time and the histogram of
 * waits. It loads nothing from elsewhere: drawing code and data are inside.
 */
export function htmlReport(head: ReportHead, runs: readonly ComparedRun[], table: readonly (readonly string[])[]): string {
  const uplot = dirname(require.resolve('uplot/package.json'));
  const asset = (name: string): string => readFileSync(join(uplot, 'dist', name), 'utf8');
  const page = readFileSync(new URL('./report.html', import.meta.url), 'utf8');
  const [headings, ...rows] = table;
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((text) => `<${tag}>${escape(text)}</${tag}>`).join('')}</tr>`;
  const parts: Readonly<Record<string, string>> = {
    TITLE: escape(`${head.scenario}: designs compared`),
    DESCRIPTION: escape(head.description),
    COMMAND: escape(head.command),
    SEED: String(head.seed),
    TABLE: `<thead>${cells(headings ?? [], 'th')}</thead><tbody>${rows.map((row) => cells(row, 'td')).join('')}</tbody>`,
    UPLOT_CSS: asset('uPlot.min.css'),
    UPLOT_JS: asset('uPlot.iife.min.js'),
    // "</script>" inside a text would end the script.
    DATA: JSON.stringify(runs).replaceAll('<', '\\u003c'),
  };
  return page.replace(/\{\{([A-Z_]+)\}\}/g, (_, name: string) => parts[name] ?? '');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
