import type { Command } from 'commander';
import { durationArgument, seedArgument } from './arguments.ts';

/** The scenario of commands that are given none; `start` runs `demo`, which has no end. */
export const DEFAULT_SCENARIO = 'migration';

/** Options that shape a run, shared by `start`, `run` and `record`. */
export interface RunOptions {
  readonly seed: number;
  readonly policy?: string;
  readonly duration?: number;
  readonly json?: boolean;
}

/** Adds the options of RunOptions to a command. */
export function withRunOptions(command: Command): Command {
  return command
    .option('--seed <n>', 'seed of everything random; equal seeds give equal events', seedArgument, 1)
    .option('--policy <name>', 'reclaim policy of all machines, instead of the scenario’s (see s2lab policies)')
    .option('--duration <time>', 'virtual time at which to stop, such as 10ms', durationArgument)
    .option('--json', 'print results as JSON');
}
