import type { Damage, EventRows, EventSource, Frame } from '@s2lab/events';
import { sliceRows } from '@s2lab/events';
import type { IndexedLog } from '@s2lab/frame';
import type { Command } from 'commander';
import { countArgument } from './arguments.ts';
import { openLog } from './log-argument.ts';

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

/**
 * Opens a log for reading the events of a range. Of a file, frames that hold none of them are not read: the end of a log of 10⁸ events is
 * as near as its beginning.
 * @throws UsageError, LogFileError
 */
export async function openLogRange(log: string, range: EventRange): Promise<EventSource> {
  const whole = range.from === 0 && range.to === Number.MAX_SAFE_INTEGER && range.machine === undefined;
  if (whole || log.includes('://')) return openLog(log);
  const { openIndexedLog } = await import('@s2lab/transport-file');
  const file = await openIndexedLog(log);
  return { frames: () => framesOf(file, range), close: () => file.close() };
}

async function* framesOf(log: IndexedLog, { from, to, machine }: EventRange): AsyncGenerator<Frame | Damage> {
  yield* log.damages;
  for (const place of log.frames) {
    const holds = place.firstSeq < to && place.firstSeq + place.count > from;
    if (holds && (machine === undefined || place.machine === machine)) yield log.read(place);
  }
}
