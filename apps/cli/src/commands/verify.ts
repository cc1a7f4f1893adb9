import type { Command } from 'commander';
import { isDamage } from '@s2lab/events';
import { countArgument } from '../arguments.ts';
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
    .option('--json', 'print the verdict as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab verify run.arrow
  s2lab verify kafka://127.0.0.1:9092/s2lab.events --json
  s2lab verify --profile casemate trace.arrow        a log of s2lab import casemate

A log whose writer was killed is checked up to its last whole frame; what was cut is said.`,
    )
    .action(verify);
}

async function verify(log: string, options: { json?: boolean; profile?: string; maxViolations: number }): Promise<void> {
  const { Verifier, formatVerdict, PROFILES } = await import('@s2lab/invariants');
  const { profile, maxViolations } = options;
  if (profile !== undefined && !PROFILES.includes(profile))
    throw new UsageError(`verify: there is no profile ${profile}; choose ${PROFILES.join(', ')}`);
  const source = await openLog(log);
  const verifier = new Verifier(profile === undefined ? { log, maxViolations } : { log, profile, maxViolations });
  const progress = new Progress(options.json === true);
  const stop = stopSignal();
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
  const verdict = verifier.finish();
  if (options.json === true) sayJson(verdict);
  else say(formatVerdict(verdict));
  if (stop.aborted) {
    tell(`interrupted: the verdict is on the first ${verdict.events} events only`);
    process.exitCode = 130;
  } else {
    process.exitCode = { holds: 0, violated: 1, unreadable: 2 }[verdict.verdict];
  }
}
