// From `npm start` in an installed tree to the first answer of the page.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../../..');
const PATIENCE_MS = 30_000;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
const port = await freePort();
const began = performance.now();
const lab = spawn('npm', ['start', '--silent', '--', '--port', String(port), '-o', join(folder, 'run.arrow')], {
  cwd: ROOT,
  stdio: 'ignore',
  detached: true,
});
let answered = false;
while (!answered && performance.now() - began < PATIENCE_MS) {
  answered = await fetch(`http://127.0.0.1:${port}/`).then(
    async (response) => response.ok && (await response.text()).includes('</html>'),
    () => false,
  );
  if (!answered) await pause(10);
}
const seconds = (performance.now() - began) / 1000;
process.kill(-lab.pid!, 'SIGINT');
await once(lab, 'exit');
await rm(folder, { recursive: true });
if (!answered) throw new Error(`the page did not answer within ${PATIENCE_MS / 1000} s`);
console.log(
  JSON.stringify({
    name: 'npm start, installed tree, to the page',
    value: Number(seconds.toFixed(2)),
    unit: 's',
    target: 2,
    better: 'lower',
  }),
);
