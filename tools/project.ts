import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The project's root folder. */
export const ROOT = join(import.meta.dirname, '..');

/** Whether this is a CI run, where nothing may be skipped. */
export function onCi(): boolean {
  return [process.env['CI'], process.env['S2LAB_CI']].some(
    (value) => value !== undefined && value !== '' && value !== '0' && value !== 'false',
  );
}

/** What came of a command. */
export interface Ran {
  readonly ok: boolean;
  /** Standard output and error, together; the system's message when the command could not be started. */
  readonly output: string;
}

/** Runs a command to its end with its output kept, in the project root unless told otherwise. A variable that is undefined in `env` is taken away. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Ran {
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { ok: result.status === 0, output: result.error ? result.error.message : result.stdout + result.stderr };
}

/** Runs a tool that is installed in node_modules/.bin, on the pinned Node. */
export function runBin(name: string, args: readonly string[], cwd = ROOT): Ran {
  const bin = join(ROOT, 'node_modules/.bin');
  return runCommand(join(bin, name), args, { cwd, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } });
}
