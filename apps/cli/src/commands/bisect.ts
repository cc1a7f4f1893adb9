import type { Command } from 'commander';
import type { WitnessLine } from '@s2lab/invariants';
import type { LogTimeline } from '@s2lab/seek';
import type { LoggedMachine } from '@s2lab/survey';
import { countArgument } from '../arguments.ts';
import { eventText } from '@s2lab/timeline';
import { eventsOf } from '../inspect/logged-events.ts';
import { withTimeline } from '../inspect/log-machine.ts';
import { say, sayJson, tell } from '../output.ts';
import { UsageError } from '../usage-error.ts';

interface BisectOptions {
  readonly invariant?: string;
  readonly where?: string;
  readonly machine?: number;
  readonly from: number;
  readonly context: number;
  readonly json?: boolean;
}

interface Found {
  readonly machine: LoggedMachine;
  readonly seq: number;
  readonly because: string | null;
  readonly witness: readonly WitnessLine[];
}

/** `bisect`: the first event of a log that is wrong, or that is asked for. */
export function addBisect(program: Command): void {
  program
    .command('bisect')
    .description('find the first event at which an invariant fails or a predicate holds: exit status 0 found, 1 there is none')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .option('--invariant <id>', 'invariant to check, such as I1')
    .option('--where <predicate>', 'clauses field=value that must all hold, such as "kind=table-freed table=7"')
    .option('--machine <n>', 'only this machine', countArgument)
    .option('--from <seq>', 'with --where: the first sequence number to look at', countArgument, 0)
    .option('--context <n>', 'events to print before and after', countArgument, 5)
    .option('--json', 'print as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab bisect run.arrow --invariant I8
  s2lab bisect run.arrow --where "kind=table-freed table=7"
  s2lab bisect run.arrow --where "kind=walk-ended result<0 actor=2" --from 5000 --machine 0

A predicate has clauses separated by blanks; all must hold. A clause is FIELD, one of = != < <= > >=, and a value without blanks.
Fields: kind (docs/EVENTS.md), seq, at, actor, walk, stage2, level, slot, table, old, new, ipa, arg, aux, and, with kind=…, the fields of
that kind. Values: decimal or 0x… numbers; descriptors compare with = and != only. Without --machine, machines are searched in turn.`,
    )
    .action(bisect);
}

async function bisect(log: string, options: BisectOptions): Promise<void> {
  if ((options.invariant === undefined) === (options.where === undefined))
    throw new UsageError('bisect: by what? give either --invariant ID or --where PREDICATE');
  await withTimeline(log, options.json === true, async (timeline) => {
    const machines = timeline.machines.filter(({ machine }) => options.machine === undefined || machine === options.machine);
    if (machines.length === 0)
      throw new UsageError(`log ${log}: has no ${options.machine === undefined ? 'events' : `machine ${options.machine}`}`);
    let found: Found | undefined;
    for (const machine of machines) {
      found =
        options.invariant === undefined
          ? await firstMatch(timeline, machine, options.where!, options.from)
          : await firstViolation(timeline, machine, options.invariant);
      if (found !== undefined) break;
    }
    await report(timeline, found, options);
    process.exitCode = found !== undefined ? 0 : timeline.log.damages.length > 0 ? 2 : 1;
  });
}

async function firstViolation(timeline: LogTimeline, machine: LoggedMachine, invariant: string): Promise<Found | undefined> {
  const { RULES, Verifier } = await import('@s2lab/invariants');
  if (!RULES.some(({ id }) => id === invariant))
    throw new UsageError(`invariant '${invariant}' does not exist; there are ${RULES.map(({ id }) => id).join(', ')}`);
  const verifier = new Verifier({ rules: [invariant], maxViolations: 1 });
  const foundAmong = (): Found | undefined => {
    const violation = verifier.finish().violations[0];
    if (violation === undefined) return undefined;
    if (violation.invariant !== invariant)
      tell(`machine ${machine.machine} cannot be judged from event ${violation.seq} on: ${violation.because}`);
    else return { machine, seq: violation.seq, because: violation.because, witness: violation.witness };
    return undefined;
  };
  for await (const frame of timeline.frames(machine)) {
    verifier.fold(frame);
    if (verifier.counts().size > 0) break;
  }
  return foundAmong();
}

async function firstMatch(timeline: LogTimeline, machine: LoggedMachine, where: string, from: number): Promise<Found | undefined> {
  const { compilePredicate } = await import('@s2lab/timeline');
  const matches = compilePredicate(where);
  for await (const { rows, firstSeq } of timeline.frames(machine, from)) {
    for (let i = Math.max(0, from - firstSeq); i < rows.length; i += 1)
      if (matches(rows, i, firstSeq + i)) return { machine, seq: firstSeq + i, because: null, witness: [] };
  }
  return undefined;
}

async function report(timeline: LogTimeline, found: Found | undefined, { context, json, invariant }: BisectOptions): Promise<void> {
  if (found === undefined) {
    if (json === true) sayJson({ found: null });
    else say(invariant === undefined ? 'there is no such event' : `there is no event at which ${invariant} fails`);
    return;
  }
  const { machine, seq, because, witness } = found;
  const events = await eventsOf(timeline, machine, Math.max(0, seq - context), seq + context + 1);
  if (json === true) return sayJson({ found: { run: machine.run, machine: machine.machine, seq, because, witness, events } });
  say(`event ${seq} of machine ${machine.machine}${because === null ? '' : `: ${because}`}`);
  for (const line of witness) say(`  ${line.seq < 0 ? '-' : line.seq}: ${line.text}`);
  for (const event of events) say(`${event.seq === seq ? '▶' : ' '} ${eventText(event)}`);
}
