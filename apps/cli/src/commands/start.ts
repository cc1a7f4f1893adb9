import type { Command } from 'commander';
import type { ViolationNote } from '@s2lab/explorer';
import type { PumpOutcome } from '@s2lab/fleet';
import type { Verdict } from '@s2lab/invariants';
import { bytesArgument, portArgument, speedArgument } from '../arguments.ts';
import type { LogRecorder } from '../lab/log-recorder.ts';
import { say, tell } from '../output.ts';
import { portProblem } from '../port-problem.ts';
import { byteText, compact, virtualText } from '../progress.ts';
import type { RunOptions } from '../run-options.ts';
import { withRunOptions } from '../run-options.ts';
import { stopSignal, whenAborted } from '../stop-signal.ts';

interface StartOptions extends RunOptions {
  readonly scenario: string;
  readonly host: string;
  readonly port: number;
  readonly speed: number;
  readonly output?: string;
  readonly force?: boolean;
  readonly log: boolean;
  readonly maxLogBytes: number;
}

/** Scenario of `start`: it has no end. */
const LIVE_SCENARIO = 'demo';
/** Port of the page. */
const DEFAULT_PORT = 7800;
/** Virtual seconds per wall second at which a page can be followed: a migration cycle of the demo takes about 20 s. */
const DEFAULT_SPEED = 0.0015;
const DEFAULT_MAX_LOG = 2 * 2 ** 30;

/** `start`: the embedded lab, live on a page. */
export function addStart(program: Command): void {
  withRunOptions(program.command('start'))
    .description('run a fleet live: events into a log, checked as they come, shown on a page on this machine')
    .option('--scenario <scenario>', 'built-in scenario, or path of a scenario file', LIVE_SCENARIO)
    .option('--speed <ratio>', 'virtual seconds per wall second; 0 or max = as fast as it goes', speedArgument, DEFAULT_SPEED)
    .option('--host <address>', 'address the page binds to', '127.0.0.1')
    .option('--port <n>', 'port of the page; 0 = any free one', portArgument, DEFAULT_PORT)
    .option('-o, --output <log>', 'log file to make (default: runs/SCENARIO-TIME.arrow)')
    .option('-f, --force', 'replace the log file if it exists')
    .option('--no-log', 'record nothing')
    .option('--max-log-bytes <size>', 'size at which recording stops, aloud', bytesArgument, DEFAULT_MAX_LOG)
    .addHelpText(
      'after',
      `
Examples:
  s2lab start
  s2lab start --scenario mixed --speed 0.01 --port 8080
  s2lab start --scenario ./mine.json --policy rwlock --no-log

Ctrl-C ends the lab and says where the log is and what the verifier found.`,
    )
    .action(start);
}

async function start(options: StartOptions): Promise<void> {
  const stop = stopSignal();
  const [{ loadScenario }, { EmbeddedLab }, { LogRecorder }, { LiveFeed, LogFile, LogOnDemand, startExplorer }] = await Promise.all([
    import('@s2lab/fleet'),
    import('../lab/embedded-lab.ts'),
    import('../lab/log-recorder.ts'),
    import('@s2lab/explorer'),
  ]);
  const loaded = await loadScenario(options.scenario);
  const lab = new EmbeddedLab(loaded, {
    seed: options.seed,
    policy: options.policy,
    speed: options.speed,
    durationNs: options.duration ?? loaded.scenario.durationNs,
    onViolation: tellViolation,
  });
  const feed = new LiveFeed(lab);
  let recorder: LogRecorder | undefined;
  const growing = (): boolean => recorder?.state().state === 'recording';
  const log = options.log ? new LogOnDemand(() => LogFile.open(recorder!.path, { tell: () => {}, growing })) : undefined;
  const explorer = await startExplorer({
    host: options.host,
    port: options.port,
    feed,
    ...(log === undefined ? {} : { log }),
    metrics: () => lab.metrics.registry.metrics(),
  }).catch((error: unknown) => {
    throw portProblem(error, options);
  });
  try {
    if (options.log) {
      const path = options.output ?? `runs/${loaded.scenario.name}-${timestamp(new Date())}.arrow`;
      recorder = await LogRecorder.create(
        path,
        JSON.stringify({ ...lab.about, scenario: loaded.scenario }),
        options.maxLogBytes,
        options.force === true,
        tell,
      );
    }
    if (options.json === true)
      say(JSON.stringify({ event: 'listening', url: explorer.url, run: lab.about.run, log: recorder?.path ?? null }));
    else {
      say(`Stage-2 Lab: ${loaded.scenario.name}, seed ${options.seed}, live at ${explorer.url}`);
      say(`log: ${recorder?.path ?? 'none'}; Ctrl-C ends the lab`);
    }
    const outcome = await lab.run(recorder, stop);
    feed.sample();
    if (!stop.aborted) await ended(stop, outcome, options);
    report(outcome, lab.verdict(), recorder, options);
  } finally {
    await explorer.close();
    await log?.close();
  }
}

/** The workloads came to their end: the page stays until Ctrl-C. */
async function ended(stop: AbortSignal, outcome: PumpOutcome, options: StartOptions): Promise<void> {
  if (options.json !== true) say(`the scenario is over after ${compact(outcome.events)} events; the page stays until Ctrl-C`);
  await whenAborted(stop);
}

function report(outcome: PumpOutcome, verdict: Verdict, recorder: LogRecorder | undefined, options: StartOptions): void {
  const found = Object.values(verdict.counts).reduce((sum, n) => sum + n, 0);
  const log = recorder === undefined ? null : { path: recorder.path, bytes: recorder.byteCount, stopped: recorder.failure ?? null };
  if (options.json === true) say(JSON.stringify({ event: 'ended', ...outcome, log, verdict }));
  else {
    say(`ended: ${compact(outcome.events)} events, ${virtualText(outcome.virtualNs)} of virtual time`);
    if (log !== null) say(`log: ${log.path} (${byteText(log.bytes)}); check it again with: npx s2lab verify ${log.path}`);
    say(
      found === 0
        ? `verdict: holds, ${compact(verdict.events)} events checked`
        : `verdict: VIOLATED, ${found} violations in ${compact(verdict.events)} events`,
    );
  }
  process.exitCode = found > 0 ? 1 : 0;
}

function tellViolation(note: ViolationNote): void {
  tell(`violation of ${note.invariant} at event ${note.seq} of machine ${note.machine} (${note.policy}): ${note.because}`);
}

/** `20261122-173005`: names that sort by time. */
function timestamp(date: Date): string {
  return date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
