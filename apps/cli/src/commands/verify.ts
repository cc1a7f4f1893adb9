import type { Command } from 'commander';
import { isDamage } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { countArgument } from '../arguments.ts';
import { openTimeline } from '../inspect/log-machine.ts';
import { openLog } from '../log-argument.ts';
import { say, sayJson, tell } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

/** `verify`: checks the events of a log or topic. */
export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('check a log or a Kafka topic: exit status 0 holds, 1 violated, 2 unreadable')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .option('--profile <name>', 'further rules, for imported traces: casemate, casemate-strict or casemate-3.0.2 (docs/INVARIANTS.md)')
    .option('--max-violations <n>', 'violations to show with their proofs; all are counted', countArgument, 100)
    .option('--index', 'in the same pass, build what show and ui go by (LOG.checkpoints)')
    .option('--json', 'print the verdict as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab verify run.arrow
  s2lab verify kafka://127.0.0.1:9092/s2lab.events --json
  s2lab verify --index run.arrow && s2lab ui run.arrow
  s2lab verify --profile casemate trace.arrow        a log of s2lab import casemate

A log whose writer was killed is checked up to its last whole frame; what was cut is said.`,
    )
    .action(verify);
}

interface VerifyOptions {
  readonly json?: boolean;
  readonly index?: boolean;
  readonly profile?: string;
  readonly maxViolations: number;
}

async function verify(log: string, options: VerifyOptions): Promise<void> {
  const { formatVerdict, PROFILES } = await import('@s2lab/invariants');
  const { profile } = options;
  if (profile !== undefined && !PROFILES.includes(profile))
    throw new UsageError(`verify: there is no profile ${profile}; choose ${PROFILES.join(', ')}`);
  if (profile !== undefined && options.index === true)
    throw new UsageError('verify: --index keeps the verdict by the general rules; leave --profile or --index away');
  const stop = stopSignal();
  const verdict = options.index === true ? await indexed(log, options, stop) : await streamed(log, options, stop);
  if (options.json === true) sayJson(verdict);
  else say(formatVerdict(verdict));
  if (stop.aborted) {
    tell(`interrupted: the verdict is on the first ${verdict.events} events only`);
    process.exitCode = 130;
  } else {
    process.exitCode = { holds: 0, violated: 1, unreadable: 2 }[verdict.verdict];
  }
}

/** The verdict on a log or topic that is read once, from its beginning. */
async function streamed(log: string, { json, profile, maxViolations }: VerifyOptions, stop: AbortSignal): Promise<Verdict> {
  const { UNREAD_COLUMNS, Verifier } = await import('@s2lab/invariants');
  const source = await openLog(log, UNREAD_COLUMNS);
  const verifier = new Verifier(profile === undefined ? { log, maxViolations } : { log, profile, maxViolations });
  const progress = new Progress(json === true);
  try {
    let events = 0;
    for await (const item of source.frames()) {
      if (stop.aborted) break;
      if (isDamage(item)) {
        verifier.noteDamage(item);
        continue;
      }
      verifier.fold(item);
      events += item.rows.length;
      progress.update(() => `${log}: ${compact(events)} events checked`);
    }
  } finally {
    progress.end();
    await source.close();
  }
  return verifier.finish();
}

/** The verdict on a log file, with checkpoints beside it from the same pass. */
async function indexed(log: string, { json, maxViolations }: VerifyOptions, stop: AbortSignal): Promise<Verdict> {
  const timeline = await openTimeline(log, () => {}); // what is damaged is in the verdict
  const running = await timeline.beginSurvey();
  const { survey } = running;
  const progress = new Progress(json === true);
  try {
    while (!stop.aborted && (await survey.step())) progress.update(() => `${log}: ${compact(survey.events)} events checked`);
    if (stop.aborted) await running.abandon();
    else await running.finish();
    return survey.verdict(maxViolations);
  } catch (error) {
    await running.abandon();
    throw error;
  } finally {
    progress.end();
    await timeline.close();
  }
}
