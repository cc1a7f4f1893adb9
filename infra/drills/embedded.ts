import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Ending } from './drill.ts';

const S2LAB = fileURLToPath(new URL('../../apps/cli/bin/s2lab.mjs', import.meta.url));

/** A lab of `npm start`. */
export interface EmbeddedLab {
  readonly address: string;
  readonly child: ChildProcess;
  /** Lines of standard error so far. */
  readonly said: readonly string[];
  /** Ctrl-C; what it says at the end. */
  stop(): Promise<{ readonly status: number | null; readonly ended: Record<string, unknown> }>;
}

/** The command line of `s2lab` with these arguments. */
export function s2lab(...args: string[]): [string, string[]] {
  return [process.execPath, [S2LAB, ...args]];
}

/** Starts a lab on a free port, by `wrap` around its command line; resolves when it listens. */
export async function startLab(
  ending: Ending,
  args: readonly string[],
  wrap: (command: string, args: string[]) => [string, string[]] = (command, all) => [command, all],
): Promise<EmbeddedLab> {
  const [command, all] = wrap(...s2lab('start', '--port', '0', '--json', ...args));
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  ending.after(child, async () => child.kill('SIGKILL'));
  const said: string[] = [];
  createInterface(child.stderr).on('line', (line) => said.push(line));
  let last: Record<string, unknown> = {};
  const address = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      last = JSON.parse(line) as Record<string, unknown>;
      if (last['event'] === 'listening') resolve(String(last['url']).replace(/\/$/, ''));
    });
    child.once('exit', () => reject(new Error(`the lab ended: ${said.join('; ')}`)));
  });
  return {
    address,
    child,
    said,
    stop: async () => {
      child.kill('SIGINT');
      const [status] = (await once(child, 'close')) as [number | null];
      return { status, ended: last };
    },
  };
}
