import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { SlotQuery } from '@s2lab/timeline';
import { addressArgument, countArgument } from '../arguments.ts';
import type { MachineChoice } from '../inspect/log-machine.ts';
import { chosenMachine, withMachine, withTimeline } from '../inspect/log-machine.ts';
import { say, sayJson } from '../output.ts';
import { UsageError } from '../usage-error.ts';

interface HistoryOptions extends MachineChoice {
  readonly slot?: { readonly table: number; readonly slot: number };
  readonly ipa?: number;
  readonly level?: number;
  readonly to: number;
  readonly json?: boolean;
}

/** `history`: who wrote a descriptor, when and why. */
export function addHistory(program: Command): void {
  withMachine(program.command('history'))
    .description('tell every write to a descriptor: who, when, why, and what it was and became')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .option('--slot <table/slot>', 'the descriptor in this slot of this table page', slotArgument)
    .option('--ipa <address>', 'the descriptors that translate this address', addressArgument)
    .option('--level <n>', 'with --ipa: only those of this level', countArgument)
    .option('--to <seq>', 'sequence number to stop before', countArgument, Number.MAX_SAFE_INTEGER)
    .option('--json', 'print as JSON (docs/CLI.md)')
    .addHelpText(
      'after',
      `
Examples:
  s2lab history run.arrow --slot 7/12
  s2lab history run.arrow --ipa 0x40200000 --level 2 --to 41250

A table page is used again after it was freed: --slot tells that too.`,
    )
    .action(history);
}

function slotArgument(text: string): { table: number; slot: number } {
  const match = /^(\d{1,9})\/(\d{1,5})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Expected TABLE/SLOT, such as 7/12.');
  return { table: Number(match[1]), slot: Number(match[2]) };
}

async function history(log: string, options: HistoryOptions): Promise<void> {
  const query = queryOf(options);
  const [{ SlotHistory, historyText }, { sliceRows }] = await Promise.all([import('@s2lab/timeline'), import('@s2lab/events')]);
  await withTimeline(log, options.json === true, async (timeline) => {
    const machine = chosenMachine(timeline, options);
    const found = new SlotHistory(query);
    for await (const frame of timeline.frames(machine, 0, options.to)) {
      const count = Math.min(frame.rows.length, options.to - frame.firstSeq);
      found.fold(sliceRows(frame.rows, 0, count), frame.firstSeq);
    }
    if (options.json === true) sayJson({ run: machine.run, machine: machine.machine, writes: found.entries });
    else if (found.entries.length === 0) say(`no event of machine ${machine.machine} writes it`);
    else for (const entry of found.entries) say(historyText(entry));
  });
}

function queryOf({ slot, ipa, level }: HistoryOptions): SlotQuery {
  if (slot !== undefined && ipa !== undefined) throw new UsageError('history: --slot and --ipa exclude each other');
  if (slot !== undefined) return slot;
  if (ipa === undefined) throw new UsageError('history: of what? give --slot TABLE/SLOT or --ipa ADDRESS');
  return level === undefined ? { ipa } : { ipa, level };
}
