import { pathToFileURL } from 'node:url';
import { CommanderError } from 'commander';
import { endWithReader, tell } from './output.ts';
import { buildProgram } from './program.ts';
import { lineFor } from './usage-error.ts';

/** Exit status of a command that could not be carried out: bad usage, bad input, or an unreadable log. */
const BAD = 2;

/** Exit status when the program itself is wrong (EX_SOFTWARE). */
const MISTAKE = 70;

/**
 * Runs one command line. Sets `process.exitCode`: 0 done or holds, 1 violated, 2 bad input or usage, 130 interrupted before its end,
 * 70 a mistake in the program.
 * Every error of the user’s is one line on standard error; only a mistake in the program shows a stack.
 */
export async function main(args: readonly string[]): Promise<void> {
  endWithReader();
  try {
    const program = await buildProgram(args[0]);
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return; // help or version was asked for and printed
      tell(oneLine(error.message));
    } else {
      const line = lineFor(error);
      tell(line ?? `internal error, please report it: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = line === undefined ? MISTAKE : BAD;
      return;
    }
    process.exitCode = BAD;
  }
}

/** Commander’s message without its prefix, on one line. */
function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
