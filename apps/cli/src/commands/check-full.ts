import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { FullCheckOptions, FullReport } from '@s2lab/checker';
import type { Frame } from '@s2lab/events';
import { FileSink } from '@s2lab/transport-file';
import { say, sayJson } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';

/** States expanded between two looks at the clock and at signals. */
const SLICE = 500;

/** How the answer is given. */
export interface FullOutput {
  readonly json: boolean;
  /** Log file for a counterexample; undefined = one named after scenario and policy, where a counterexample is met. */
  readonly log: string | undefined;
  readonly force: boolean;
}

/** `check` on the full engine: one scenario, one policy. Returns the report's verdict, or `interrupted`. */
export async function checkFull(options: FullCheckOptions, output: FullOutput): Promise<FullReport['verdict'] | 'interrupted'> {
  const { FullCheck, formatFullReport } = await import('@s2lab/checker');
  const checking = new FullCheck(options);
  const progress = new Progress(output.json);
  const stop = stopSignal();
  const began = performance.now();
  while (checking.advance(SLICE) && !stop.aborted) {
    progress.update(() => {
      const { storedStates, transitions, judgedPaths } = checking.counts;
      return `${options.scenario}, ${options.policy.name}: ${compact(storedStates)} states, ${compact(transitions)} steps, ${compact(judgedPaths)} paths judged`;
    });
    await breathe(); // signals are heard
  }
  progress.end();
  const report = checking.report();
  const frame = checking.log();
  const seconds = (performance.now() - began) / 1000;
  const log = frame === undefined ? null : (output.log ?? `check-${report.scenario}-${report.policy}.arrow`);
  if (frame !== undefined) await writeLog(log!, frame, output.force || output.log === undefined);
  if (output.json) sayJson({ ...report, log, seconds });
  else {
    say(`${formatFullReport(report)}\n${seconds.toFixed(2)} s`);
    if (log !== null) say(`its log: ${log} (s2lab verify ${log}; s2lab show ${log}; s2lab replay ${log})`);
  }
  return report.verdict === 'unfinished' && stop.aborted ? 'interrupted' : report.verdict;
}

/** Writes the log of a counterexample, as any run's. */
export async function writeLog(path: string, frame: Frame, overwrite: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const { run, policy, workload } = frame.origin;
  const sink = await FileSink.create(path, { description: JSON.stringify({ run, policy, scenario: workload }), overwrite });
  await sink.write(frame);
  await sink.close();
}
