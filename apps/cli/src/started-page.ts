import assert from 'node:assert/strict';
import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { BIN } from './spawned-cli.ts';

/** A command that serves a page and prints JSON lines, with what it printed; for specs. */
export class StartedPage {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly lines: Record<string, unknown>[] = [];
  stderr = '';
  private rest = '';

  constructor(args: readonly string[], cwd: string) {
    this.child = spawn(process.execPath, [BIN, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (this.rest + text).split('\n');
      this.rest = parts.pop()!;
      for (const part of parts) this.lines.push(JSON.parse(part) as Record<string, unknown>);
    });
  }

  /** The first line: the page is there. */
  async listening(): Promise<{ readonly url: string; readonly log: string }> {
    while (this.lines.length === 0) {
      const [ended] = await Promise.race([once(this.child.stdout, 'data').then(() => [undefined]), once(this.child, 'exit')]);
      assert.equal(ended, undefined, `the command ended: ${this.stderr}`);
    }
    return this.lines[0] as unknown as { url: string; log: string };
  }

  /** Ctrl-C, then its exit status. */
  async interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    const [status] = (await once(this.child, 'close')) as [number | null];
    return status;
  }
}
