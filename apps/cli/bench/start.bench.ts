import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BIN = join(ROOT, 'apps/cli/bin/s2lab.mjs');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Milliseconds from `npm start` to the page's answer. */
async function startMs(folder: string): Promise<number> {
  const port = await freePort();
  const began = performance.now();
  const args = ['tools/launch.mjs', 'start', '--port', String(port), '-o', join(folder, 'start.arrow'), '-f'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (answer?.ok === true) break;
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
    await setTimeout(5);
  }
  const took = performance.now() - began;
  child.kill('SIGINT');
  await once(child, 'exit');
  return took;
}

async function helpMs(): Promise<number> {
  const began = performance.now();
  await once(spawn(process.execPath, [BIN, '--help'], { stdio: 'ignore' }), 'exit');
  return performance.now() - began;
}

function report(name: string, value: number, target: number): void {
  console.log(JSON.stringify({ name, value: Math.round(value), unit: 'ms', better: 'lower', target }));
}

const folder = mkdtempSync(join(tmpdir(), 's2lab-bench-'));
try {
  await startMs(folder); // fills the caches of an installed tree
  report('npm start to the page', await startMs(folder), 2000);
  await helpMs();
  report('s2lab --help', await helpMs(), 300);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
