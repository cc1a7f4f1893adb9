import type { Command } from 'commander';
import type { Frame, LabEvent } from '@s2lab/events';
import type { LogTimeline } from '@s2lab/seek';
import type { LoggedMachine } from '@s2lab/survey';
import { countArgument } from '../arguments.ts';
import { eventText } from '@s2lab/timeline';
import { eventsOf } from '../inspect/logged-events.ts';
import { withTimeline } from '../inspect/log-machine.ts';
import { say, sayJson } from '../output.ts';

/** Where the logs of one machine part. */
interface Divergence {
  readonly seq: number;
  readonly events: readonly [LabEvent | null, LabEvent | null];
  readonly fields: readonly string[];
  readonly before: readonly LabEvent[];
  readonly after: readonly [readonly LabEvent[], readonly LabEvent[]];
}

interface MachineDiff {
  readonly machine: number;
  readonly events: readonly [number, number];
  readonly equal: boolean;
  readonly divergence: Divergence | null;
}

/** `diff`: where two logs part. */
export function addDiff(program: Command): void {
  program
    .command('diff')
    .description('tell the first event in which two logs differ, machine by machine: exit status 0 equal, 1 different, 2 unreadable')
    .argument('<a>', 'log file, or kafka://host:port/topic')
    .argument('<b>', 'log file, or kafka://host:port/topic')
    .option('--machine <n>', 'only this machine', countArgument)
    .option('--context <n>', 'events to print before and after', countArgument, 5)
    .option('--json', 'print as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab diff today.arrow yesterday.arrow
  s2lab diff a.arrow b.arrow --machine 0 --context 20 --json

Events are compared, not files: how they were cut into frames, compressed or named by run does not matter.`,
    )
    .action(diff);
}

async function diff(a: string, b: string, options: { machine?: number; context: number; json?: boolean }): Promise<void> {
  const { machine: only, context, json } = options;
  await withTimeline(a, json === true, (left) =>
    withTimeline(b, json === true, async (right) => {
      const wanted = (machine: number): boolean => only === undefined || only === machine;
      const numbers = new Set([...left.machines, ...right.machines].map(({ machine }) => machine).filter(wanted));
      const machines: MachineDiff[] = [];
      for (const machine of numbers) machines.push(await compare(left, right, machine, context));
      const equal = machines.every((found) => found.equal);
      if (json === true) sayJson({ equal, machines });
      else for (const found of machines) tellDiff(found, a, b);
      process.exitCode = [left, right].some(({ log }) => log.damages.length > 0) ? 2 : equal ? 0 : 1;
    }),
  );
}

async function compare(left: LogTimeline, right: LogTimeline, machine: number, context: number): Promise<MachineDiff> {
  const [a, b] = [left, right].map((log) => log.machines.find((found) => found.machine === machine));
  const events = [a?.events ?? 0, b?.events ?? 0] as const;
  const seq = a === undefined || b === undefined ? 0 : await firstDivergence(left.frames(a), right.frames(b));
  if (seq === undefined) return { machine, events, equal: true, divergence: null };
  const around = async (log: LogTimeline, which: LoggedMachine | undefined, from: number, to: number) =>
    which === undefined ? [] : eventsOf(log, which, from, to);
  const before = await around(left, a, Math.max(0, seq - context), seq);
  const afterA = await around(left, a, seq, seq + 1 + context);
  const afterB = await around(right, b, seq, seq + 1 + context);
  const pair = [afterA[0] ?? null, afterB[0] ?? null] as const;
  const divergence = { seq, events: pair, fields: differing(...pair), before, after: [afterA.slice(1), afterB.slice(1)] as const };
  return { machine, events, equal: false, divergence };
}

/** Sequence number of the first event in which two streams of one machine differ, or undefined when none does. */
async function firstDivergence(left: AsyncGenerator<Frame>, right: AsyncGenerator<Frame>): Promise<number | undefined> {
  const { firstDifference } = await import('@s2lab/timeline');
  let a = (await left.next()).value as Frame | undefined;
  let b = (await right.next()).value as Frame | undefined;
  let seq = 0;
  while (a !== undefined && b !== undefined) {
    if (a.firstSeq > seq || b.firstSeq > seq) return seq; // one of them lacks events here
    const fromA = seq - a.firstSeq;
    const fromB = seq - b.firstSeq;
    const count = Math.min(a.rows.length - fromA, b.rows.length - fromB);
    const equal = count <= 0 ? 0 : firstDifference(a.rows, fromA, b.rows, fromB, count);
    seq += equal;
    if (equal < count) return seq;
    if (seq >= a.firstSeq + a.rows.length) a = (await left.next()).value as Frame | undefined;
    if (seq >= b.firstSeq + b.rows.length) b = (await right.next()).value as Frame | undefined;
  }
  return a === undefined && b === undefined ? undefined : seq;
}

/** Names of the fields in which two events differ. */
function differing(a: LabEvent | null, b: LabEvent | null): string[] {
  if (a === null || b === null) return [];
  const [left, right] = [a, b] as unknown as Record<string, unknown>[];
  return [...new Set([...Object.keys(left!), ...Object.keys(right!)])].filter((field) => left![field] !== right![field]);
}

function tellDiff({ machine, events, divergence }: MachineDiff, a: string, b: string): void {
  if (divergence === null) return say(`machine ${machine}: equal, ${events[0]} events`);
  const { seq, fields } = divergence;
  say(`machine ${machine}: the logs part at event ${seq}${fields.length === 0 ? '' : ` (${fields.join(', ')})`}`);
  for (const event of divergence.before) say(`  ${eventText(event)}`);
  for (const side of [0, 1] as const) {
    const event = divergence.events[side];
    const sign = side === 0 ? '<' : '>';
    say(`${sign} ${event === null ? `${side === 0 ? a : b} ends after ${events[side]} events` : eventText(event)}`);
    for (const later of divergence.after[side]) say(`${sign} ${eventText(later)}`);
  }
}
