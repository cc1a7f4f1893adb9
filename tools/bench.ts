// `npm run bench [-- --only PATTERN] [--runs N] [--full] [--write FILE]`: runs each bench file in fresh processes and prints the medians.
import { spawnSync } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, runCommand } from './project.ts';

/** What a bench file prints to standard output, one JSON object a line; its other lines are passed on to standard error. */
export interface Measured {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Which direction is good; `target` is the value to reach. */
  readonly better: 'higher' | 'lower';
  readonly target?: number;
  readonly note?: string;
}

/** A figure over all runs. */
export interface Figure extends Measured {
  readonly least: number;
  readonly most: number;
  readonly runs: number;
}

/**
 * The figures in one line of a bench's output, or undefined when it is something else.
 * @throws when it is a JSON object that lacks a part.
 */
export function parseMeasured(line: string, file: string): Measured | undefined {
  if (!line.startsWith('{')) return undefined;
  const found = JSON.parse(line) as Partial<Measured>;
  const complete = typeof found.name === 'string' && typeof found.value === 'number' && typeof found.unit === 'string';
  if (!complete || (found.better !== 'higher' && found.better !== 'lower'))
    throw new Error(`${file} printed ${line}: wants name, value, unit and better`);
  return found as Measured;
}

/** The median of each figure, in the order in which they first came. */
export function medians(measured: readonly Measured[]): Figure[] {
  return [...Map.groupBy(measured, ({ name }) => name).values()].map((runs) => {
    const sorted = runs.toSorted((a, b) => a.value - b.value);
    const middle = sorted[sorted.length >> 1]!;
    return { ...middle, least: sorted[0]!.value, most: sorted.at(-1)!.value, runs: runs.length };
  });
}

/** A Markdown table of the figures. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, target, better, least, most, note = '' } = figure;
    const sign = better === 'higher' ? '≥' : '≤';
    const reached =
      target === undefined
        ? ''
        : `${sign} ${readable(target)} ${(better === 'higher' ? value >= target : value <= target) ? '✓' : '✗ missed'}`;
    return `| ${name} | ${readable(value)} | ${readable(least)} – ${readable(most)} | ${unit} | ${reached} | ${note} |`;
  });
  return ['| figure | median | range | unit | target | note |', '| --- | ---: | ---: | --- | --- | --- |', ...rows].join('\n');
}

/** Four significant digits, with thousands apart: 5,123,000. */
function readable(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

/** Runs one bench file once, in a fresh process, in its full size if it has a smaller one. @throws when it fails. */
function runOnce(file: string, full: boolean): Measured[] {
  const result = spawnSync(process.execPath, [join(ROOT, file)], {
    cwd: ROOT,
    env: { ...process.env, ...(full && { S2LAB_BENCH: 'full' }) },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  });
  if (result.status !== 0) throw new Error(`${file} failed (exit status ${result.status ?? result.signal})\n${result.stdout}`);
  return result.stdout.split('\n').flatMap((line) => {
    const measured = parseMeasured(line, file);
    if (!measured && line !== '') console.error(line);
    return measured ?? [];
  });
}

function machine(): string {
  const commit = runCommand('git', ['describe', '--always', '--dirty']);
  const cores = cpus();
  return [
    `- Machine: ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`,
    `- Node ${process.version}, commit ${commit.ok ? commit.output.trim() : 'unknown'}, ${new Date().toISOString().slice(0, 10)}`,
  ].join('\n');
}

function main(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: '' },
      runs: { type: 'string', default: '3' },
      full: { type: 'boolean', default: false },
      write: { type: 'string' },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs}: wants a number of runs, such as 3`);
  const files = globSync('{apps,libs}/*/bench/*.bench.ts', { cwd: ROOT })
    .sort()
    .filter((file) => file.includes(values.only));
  if (files.length === 0) throw new Error(`no bench file has '${values.only}' in its path`);
  const figures: Figure[] = [];
  for (const file of files) {
    const measured: Measured[] = [];
    for (let run = 1; run <= runs; run += 1) {
      console.error(`${file} ${run}/${runs}`);
      measured.push(...runOnce(file, values.full));
    }
    figures.push(...medians(measured));
  }
  console.log(table(figures));
  if (values.write === undefined) return;
  const command = ['npm run bench --', ...args].join(' ');
  writeFileSync(
    join(ROOT, values.write),
    `# Benchmarks\n\nWritten by \`${command}\`: each file in \`{apps,libs}/*/bench\` ran ${runs} times in a fresh process; medians, with the least and the most.\n\n${machine()}\n\n${table(figures)}\n`,
  );
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
