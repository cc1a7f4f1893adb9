import type { EventRows, Frame } from '@s2lab/events';
import { sliceRows } from '@s2lab/events';
import type { Command } from 'commander';
import { countArgument } from './arguments.ts';

/** Which events of a log a command is about. */
export interface EventRange {
  readonly from: number;
  /** First sequence number that is not wanted any more. */
  readonly to: number;
  readonly machine?: number;
}

/** Adds --from, --to and --machine to a command. */
export function withEventRange(command: Command): Command {
  return command
    .option('--from <seq>', 'first sequence number', countArgument, 0)
    .option('--to <seq>', 'sequence number to stop before', countArgument, Number.MAX_SAFE_INTEGER)
    .option('--machine <n>', 'only this machine', countArgument);
}

/** The rows of `frame` that lie in the range, and the sequence number of the first; undefined when none does. */
export function rowsInRange(frame: Frame, range: EventRange): { readonly rows: EventRows; readonly firstSeq: number } | undefined {
  if (range.machine !== undefined && frame.origin.machine !== range.machine) return undefined;
  const first = Math.max(0, range.from - frame.firstSeq);
  const end = Math.min(frame.rows.length, range.to - frame.firstSeq);
  return first >= end ? undefined : { rows: sliceRows(frame.rows, first, end), firstSeq: frame.firstSeq + first };
}
