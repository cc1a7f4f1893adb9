import type { Command } from 'commander';
import type { LogTimeline } from '@s2lab/seek';
import type { LoggedMachine } from '@s2lab/survey';
import { countArgument } from '../arguments.ts';
import { tell } from '../output.ts';
import { UsageError } from '../usage-error.ts';
import { withLogFile } from './log-copy.ts';

/** Which machine of a log a command is about. */
export interface MachineChoice {
  readonly machine?: number;
  readonly run?: string;
}

/** Adds --machine and --run to a command. */
export function withMachine(command: Command): Command {
  return command
    .option('--machine <n>', 'machine of the log (default: its only one)', countArgument)
    .option('--run <run>', 'run, when the log holds several');
}

/** Gives `use` a log, file or topic, for going to any event of it. @throws UsageError, LogFileError */
export async function withTimeline(log: string, quiet: boolean, use: (timeline: LogTimeline) => Promise<void>): Promise<void> {
  await withLogFile(log, quiet, async (path) => {
    const timeline = await openTimeline(path);
    try {
      await use(timeline);
    } finally {
      await timeline.close();
    }
  });
}

/** Opens a log file for going to any event of it and for keeping checkpoints beside it. @throws UsageError, LogFileError */
export async function openTimeline(log: string, hear: (line: string) => void = tell): Promise<LogTimeline> {
  if (log.includes('://'))
    throw new UsageError(`${log}: checkpoints lie beside a file; write the topic to one with: s2lab export ${log} --format arrow -o FILE`);
  const { LogTimeline } = await import('@s2lab/seek');
  return LogTimeline.open(log, hear);
}

/** The machine that was chosen, or the log's only one. @throws UsageError when it is none or not one */
export function chosenMachine(timeline: LogTimeline, choice: MachineChoice): LoggedMachine {
  const { path } = timeline.log;
  const fits = timeline.machines.filter(
    ({ machine, run }) => (choice.machine === undefined || machine === choice.machine) && (choice.run === undefined || run === choice.run),
  );
  const all = timeline.machines.map(({ run, machine }) => `${machine} of ${run}`).join(', ');
  if (fits.length === 0)
    throw new UsageError(all === '' ? `log ${path}: holds no events` : `log ${path}: no such machine; it holds ${all}`);
  if (fits.length > 1)
    throw new UsageError(`log ${path}: which machine? it holds ${all}; give --machine${choice.machine === undefined ? '' : ' and --run'}`);
  return fits[0]!;
}
