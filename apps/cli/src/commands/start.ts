import type { Command } from 'commander';
import type { ViolationNote } from '@s2lab/explorer';
import type { KeptRun, PumpOutcome } from '@s2lab/fleet';
import type { Verdict } from '@s2lab/invariants';
import { bytesArgument, portArgument, speedArgument } from '../arguments.ts';
import type { EmbeddedLabHooks } from '../lab/embedded-lab.ts';
import type { LogRecorder } from '../lab/log-recorder.ts';
import type { LogSeries } from '../lab/log-series.ts';
import { say, tell } from '../output.ts';
import { portProblem } from '../port-problem.ts';
import { byteText, compact, virtualText } from '../progress.ts';
import type { RunOptions } from '../run-options.ts';
import { withRunOptions } from '../run-options.ts';
import { stopSignal } from '../stop-signal.ts';

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
  const [{ labApi, loadScenario }, { EmbeddedLab }, { LogSeries }, { LiveFeed, LogOnDemand, MetricFeed, startExplorer }] =
    await Promise.all([
      import('@s2lab/fleet'),
      import('../lab/embedded-lab.ts'),
      import('../lab/log-series.ts'),
      import('@s2lab/explorer'),
    ]);
  const loaded = await loadScenario(options.scenario);
  const lab = new EmbeddedLab(loaded, {
    seed: options.seed,
    policy: options.policy,
    speed: options.speed,
    durationNs: options.duration,
    onViolation: tellViolation,
  });
  const feed = new LiveFeed(lab);
  const logs = options.log
    ? new LogSeries({
        path: options.output ?? `runs/${loaded.scenario.name}-${timestamp(new Date())}.arrow`,
        maxBytes: options.maxLogBytes,
        overwrite: options.force === true,
        announce: tell,
      })
    : undefined;
  const log = logs === undefined ? undefined : new LogOnDemand(() => logs.latest());
  const explorer = await startExplorer({
    host: options.host,
    port: options.port,
    feed,
    metricFeed: new MetricFeed(lab.metrics.registry),
    ...(log === undefined ? {} : { log }),
    metrics: () => lab.metrics.registry.metrics(),
    api: labApi(lab),
  }).catch((error: unknown) => {
    throw portProblem(error, options);
  });
  const total: Total = { events: 0, virtualNs: 0, interrupted: false };
  const openLog: EmbeddedLabHooks['openLog'] = async (run) => {
    const recorder = await logs?.next(run);
    announce(run, recorder, explorer.url, options);
    return recorder;
  };
  try {
    await lab.run({ openLog, ended: (_run, outcome) => over(outcome, total, stop, options) }, stop);
    feed.sample();
    report(total, lab.verdict(), logs, options);
  } finally {
    await explorer.close();
    await log?.close();
  }
}

/** What all runs of a lab come to. */
interface Total {
  events: number;
  /** Of the last run. */
  virtualNs: number;
  interrupted: boolean;
}

/** Says which run begins, and where its log is. */
function announce(run: KeptRun, recorder: LogRecorder | undefined, url: string, options: StartOptions): void {
  const { fleet, scenario, seed, because, number } = run;
  const log = recorder?.path ?? null;
  if (options.json === true)
    say(
      JSON.stringify(
        number === 1
          ? { event: 'listening', url, run: fleet.run, log }
          : { event: 'run', run: fleet.run, log, because: because?.change ?? null },
      ),
    );
  else if (number === 1) {
    say(`Stage-2 Lab: ${scenario.name}, seed ${seed}, live at ${url}`);
    say(`log: ${log ?? 'none'}; Ctrl-C ends the lab`);
  } else say(`run ${fleet.run}, because of ${JSON.stringify(because?.change)}; log: ${log ?? 'none'}`);
}

/** A run is over. When its workloads came to their end, the page stays until Ctrl-C or until a control begins another run. */
function over(outcome: PumpOutcome, total: Total, stop: AbortSignal, options: StartOptions): void {
  total.events += outcome.events;
  total.virtualNs = outcome.virtualNs;
  total.interrupted = outcome.interrupted;
  if (!stop.aborted && !outcome.interrupted && options.json !== true)
    say(`the scenario is over after ${compact(outcome.events)} events; the page stays until Ctrl-C`);
}

function report(total: Total, verdict: Verdict, logs: LogSeries | undefined, options: StartOptions): void {
  const found = Object.values(verdict.counts).reduce((sum, n) => sum + n, 0);
  const recorded = logs?.recorded ?? [];
  if (options.json === true) say(JSON.stringify({ event: 'ended', ...total, log: recorded.at(-1) ?? null, logs: recorded, verdict }));
  else {
    say(`ended: ${compact(total.events)} events, ${virtualText(total.virtualNs)} of virtual time`);
    for (const { path, bytes } of recorded) say(`log: ${path} (${byteText(bytes)}); check it again with: npx s2lab verify ${path}`);
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
