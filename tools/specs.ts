import { globSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';
import { ROOT, onCi } from './project.ts';

/** What came of some specs. A skipped test is neither passed nor failed. */
export interface Outcome {
  passed: number;
  failed: number;
  /** One line each: which test was skipped, and why. */
  readonly skipped: string[];
}

/** How to run specs. */
export interface RunOptions {
  /** Seconds after which a file that has not ended is ended and counts as failed. */
  readonly timeoutSeconds: number;
  /** Seed of the property tests, 32 bits; without one each property takes its own, and says it when it fails. */
  readonly seed: number | undefined;
  /** Gets what is to be read by a person: failures in full. */
  readonly print: (text: string) => void;
  /** Called when a file begins, for a progress display. */
  readonly progress: (file: string, done: number, total: number) => void;
}

interface TestEvent {
  readonly name: string;
  readonly nesting: number;
  readonly message?: string;
  readonly success?: boolean;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details?: { readonly type?: string; readonly error?: { readonly failureType?: string; readonly cause?: unknown } };
}

const INTEGRATION = /\.int\.spec\.ts$/;
const RUN_TOTALS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /;
const OUTPUT_SHOWN_MAX = 20_000;

/**
 * Spec files under the given files and folders, sorted, relative to the project root.
 * @param targets files or folders, relative to the root; empty for the whole project.
 * @param kinds `unit`, `prop`, `sim`, `int`; empty for all.
 * @throws when a target does not exist.
 */
export function findSpecs(targets: readonly string[], kinds: readonly string[]): string[] {
  const found = new Set<string>();
  for (const target of targets.length > 0 ? targets : ['apps', 'libs', 'tools', 'infra']) {
    const path = join(ROOT, target);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) throw new Error(`no file or folder ${target}`);
    if (stat.isFile()) found.add(relative(ROOT, path));
    else
      for (const file of globSync('**/*.spec.ts', { cwd: path, exclude: ['**/node_modules/**'] }))
        found.add(join(relative(ROOT, path), file));
  }
  return [...found].filter((file) => kinds.length === 0 || kinds.some((kind) => file.endsWith(`.${kind}.spec.ts`))).sort();
}

/** Runs each file in a process of its own: integration specs one by one after all others, those two at a time. */
export async function runSpecs(files: readonly string[], options: RunOptions): Promise<Outcome> {
  const total: Outcome = { passed: 0, failed: 0, skipped: [] };
  let done = 0;
  const runQueue = async (queue: string[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      options.progress(file, done, files.length);
      const one = await runFile(file, options);
      total.passed += one.passed;
      total.failed += one.failed;
      total.skipped.push(...one.skipped);
      done += 1;
    }
  };
  const others = files.filter((file) => !INTEGRATION.test(file));
  await Promise.all([runQueue(others), runQueue(others)]);
  await runQueue(files.filter((file) => INTEGRATION.test(file)));
  return total;
}

/** Runs one file; a file that ends badly, in time or not, or holds no test counts as one failure at least. */
async function runFile(file: string, { timeoutSeconds, seed, print }: RunOptions): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failed: 0, skipped: [] };
  const path = join(ROOT, file);
  const names: string[] = [];
  let output = '';
  let succeeded = true;
  const title = (event: TestEvent): string => [file, ...names.slice(0, event.nesting), event.name].join(' › ');
  const failure = (where: string, what: string): void => {
    outcome.failed += 1;
    print(`\nFAIL ${where}\n${what.replace(/^/gm, '  ')}\n`);
  };
  // The runner's own `timeout` only fails a test; the signal also ends a process that would not end by itself.
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const execArgv = seed === undefined ? [] : ['--import', new URL(`property-seed.ts?seed=${seed}`, import.meta.url).href];
  const stream = run({ files: [path], isolation: 'process', signal, execArgv });
  for await (const { type, data } of stream as AsyncIterable<{ type: string; data: TestEvent }>) {
    if (type === 'test:start') names[data.nesting] = data.name;
    else if (type === 'test:stdout' || type === 'test:stderr') output += data.message;
    else if (type === 'test:diagnostic' && !RUN_TOTALS.test(data.message ?? '')) output += `${data.message}\n`;
    else if (type === 'test:pass') countPass(data);
    else if (type === 'test:fail') countFail(data);
    else if (type === 'test:summary') succeeded = data.success === true;
  }
  if (!succeeded && outcome.failed === 0) failure(file, 'its process failed');
  if (outcome.failed > 0 && output.trim() !== '')
    print(`  output of ${file}:\n${output.slice(-OUTPUT_SHOWN_MAX).replace(/^/gm, '  | ')}\n`);
  return outcome;

  function countPass(event: TestEvent): void {
    if (event.name === path) failure(file, 'holds no test');
    else if (event.details?.type === 'suite') return;
    else if (event.skip === undefined && event.todo === undefined) outcome.passed += 1;
    else if (onCi()) failure(title(event), `skipped (${event.skip ?? event.todo}); under CI nothing may be skipped`);
    else outcome.skipped.push(`${title(event)}: ${event.skip ?? event.todo}`);
  }

  function countFail(event: TestEvent): void {
    const error = event.details?.error;
    if (error?.failureType === 'subtestsFailed') return;
    if (error?.failureType === 'testAborted') failure(file, `did not end within ${timeoutSeconds} s`);
    else if (event.name === path) failure(file, 'its process failed outside of a test');
    else failure(title(event), explain(error?.cause));
  }
}

/** An error as a person wants to read it: no frames inside of Node, and of a failed assertion nothing twice. */
function explain(error: unknown): string {
  if (typeof error === 'string') return error;
  const assertion = error instanceof Error && error.name === 'AssertionError';
  return (assertion ? (error.stack ?? error.message) : inspect(error)).replace(/\n +at .*\(?node:internal.*/g, '');
}
