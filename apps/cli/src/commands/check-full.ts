import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { FullBounds, FullCheckOptions, FullReport, ParallelCheckOptions, SamplingOptions } from '@s2lab/checker';
import type { ReclaimPolicy } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { FileSink } from '@s2lab/transport-file';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { readSearch, writeSearch } from '../check/saved-search.ts';
import { stopSignal } from '../stop-signal.ts';

/** States expanded between two looks at the clock and at signals. */
const SLICE = 500;

/** How the answer is given. */
export interface FullOutput {
  readonly json: boolean;
  /** Log file for a counterexample; undefined = one named after scenario and policy, where a counterexample is met. */
  readonly log: string | undefined;
  readonly force: boolean;
  /** File for a search that has not ended; and one to go on from. */
  readonly save?: string | undefined;
  readonly resume?: string | undefined;
}

/** A check in one thread or in several. */
interface Checking {
  advance(states: number): boolean | Promise<boolean>;
  readonly counts: Pick<FullReport, 'storedStates' | 'transitions' | 'judgedPaths'>;
  readonly identity: string;
  report(): FullReport;
  log(): Frame | undefined;
  save(): Int32Array | undefined | Promise<Int32Array | undefined>;
  restore(words: Int32Array): void | Promise<void>;
}

/** `check` on the full engine: one scenario, one policy. Returns the report's verdict, or `interrupted`. */
export async function checkFull(options: FullCheckOptions, output: FullOutput): Promise<FullReport['verdict'] | 'interrupted'> {
  const { FullCheck } = await import('@s2lab/checker');
  return carryOut(new FullCheck(options), options, output);
}

/** `checkFull` by a search that lies in several threads. */
export async function checkInThreads(
  options: ParallelCheckOptions,
  threads: number,
  output: FullOutput,
): Promise<FullReport['verdict'] | 'interrupted'> {
  const { ParallelCheck } = await import('@s2lab/checker');
  const { ShareThreads } = await import('../check/share-threads.ts');
  const hosts = new ShareThreads(threads, options.policy.name);
  try {
    return await carryOut(new ParallelCheck(options, hosts), options, output);
  } finally {
    await hosts.end();
  }
}

async function carryOut(checking: Checking, options: FullCheckOptions, output: FullOutput): Promise<FullReport['verdict'] | 'interrupted'> {
  const { formatFullReport } = await import('@s2lab/checker');
  if (output.resume !== undefined) await checking.restore(await readSearch(output.resume, checking.identity));
  const progress = new Progress(output.json);
  const stop = stopSignal();
  const began = performance.now();
  while ((await checking.advance(SLICE)) && !stop.aborted) {
    progress.update(() => {
      const { storedStates, transitions, judgedPaths } = checking.counts;
      return `${options.scenario}, ${options.policy.name}: ${compact(storedStates)} states, ${compact(transitions)} steps, ${compact(judgedPaths)} paths judged`;
    });
    await breathe(); // signals are heard
  }
  progress.end();
  const report = checking.report();
  const frame = checking.log();
  const saved = report.verdict === 'unfinished' && output.save !== undefined ? await checking.save() : undefined;
  if (saved !== undefined) await writeSearch(output.save!, checking.identity, saved);
  const seconds = (performance.now() - began) / 1000;
  const log = frame === undefined ? null : (output.log ?? `check-${report.scenario}-${report.policy}.arrow`);
  if (frame !== undefined) await writeLog(log!, frame, output.force || output.log === undefined);
  if (output.json) sayJson({ ...report, log, seconds });
  else {
    say(`${formatFullReport(report)}\n${seconds.toFixed(2)} s`);
    if (log !== null) say(logText(log, frame!));
    if (saved !== undefined) say(`saved: ${output.save} (go on with --resume ${output.save})`);
  }
  return report.verdict === 'unfinished' && stop.aborted ? 'interrupted' : report.verdict;
}

function logText(log: string, { rows }: Frame): string {
  return `its log: ${log} (s2lab verify ${log}; s2lab show ${log} --at ${rows.length - 1}; s2lab replay ${log})`;
}

/** `check` on the full engine by schedules drawn at random. Returns whether a defect was found. */
export async function checkSampled(
  scenario: string,
  bounds: FullBounds,
  policy: ReclaimPolicy,
  options: SamplingOptions,
  output: FullOutput,
): Promise<boolean> {
  const { formatSampling, samplingReport, sampling: begin } = await import('@s2lab/checker');
  const sampling = begin(scenario, bounds, policy, options);
  const progress = new Progress(output.json);
  const stop = stopSignal();
  const began = performance.now();
  while (sampling.advance(50) && !stop.aborted) {
    progress.update(
      () => `${scenario}, ${policy.name}: ${compact(sampling.executions)} executions, ${compact(sampling.pairs)} pairs of steps`,
    );
    await breathe();
  }
  progress.end();
  const report = samplingReport(sampling, scenario, policy.name, bounds, options);
  const frame = sampling.counterexample()?.frame;
  const log = frame === undefined ? null : (output.log ?? `check-${scenario}-${policy.name}.arrow`);
  if (frame !== undefined) await writeLog(log!, frame, output.force || output.log === undefined);
  const seconds = (performance.now() - began) / 1000;
  if (output.json) sayJson({ ...report, log, seconds });
  else {
    say(`${formatSampling(report)}\n${seconds.toFixed(2)} s`);
    if (log !== null) say(logText(log, frame!));
  }
  return frame !== undefined;
}

/** Writes the log of a counterexample, as any run's. */
export async function writeLog(path: string, frame: Frame, overwrite: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const { run, policy, workload } = frame.origin;
  const sink = await FileSink.create(path, { description: JSON.stringify({ run, policy, scenario: workload }), overwrite });
  await sink.write(frame);
  await sink.close();
}
