import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Ran, runCommand } from './project.ts';

const TRIES = 3;
const TRY_AGAIN_MS = 5_000;
const ENV = { DEBIAN_FRONTEND: 'noninteractive' };
// Another apt may hold the lock, and a mirror may stumble: both pass by themselves.
const PATIENCE = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];

let updated = false;

/**
 * Installs a Debian package with what it needs.
 * @throws with what to do by hand when apt is not there, this is not root, or apt fails.
 */
export function aptInstall(name: string): void {
  if (!runCommand('apt-get', ['--version']).ok)
    throw new Error(`not found, and there is no apt-get here; install it by hand (Debian's package: ${name})`);
  if (process.getuid?.() !== 0) throw new Error(`not found; run \`sudo apt-get install ${name}\``);
  apt(['install', '-y', '--no-install-recommends', name]);
}

/**
 * Unpacks a Debian package's files under `folder`: nothing is installed, no service is started, and no right is needed.
 * @throws with what to do by hand when apt is not there or fails.
 */
export function aptExtract(name: string, folder: string): void {
  if (!runCommand('apt-get', ['--version']).ok)
    throw new Error(`not found, and there is no apt-get here; install it by hand (Debian's package: ${name})`);
  const download = mkdtempSync(join(tmpdir(), 's2lab-'));
  const partial = `${folder}.partial`;
  try {
    apt(['download', name], download);
    const file = readdirSync(download).find((entry) => entry.endsWith('.deb'));
    if (!file) throw new Error(`apt-get download ${name} gave no package`);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(partial, { recursive: true, force: true });
    const unpacked = runCommand('dpkg-deb', ['-x', join(download, file), partial]);
    if (!unpacked.ok) throw new Error(`dpkg-deb -x ${file} failed: ${lastLine(unpacked.output)}`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

function apt(args: readonly string[], cwd?: string): void {
  // A fresh machine has no package lists, and old lists name packages that are gone. Without root the lists stay as they are.
  if (!updated && process.getuid?.() === 0) updated = attempt(['update']).ok;
  const { ok, output } = attempt(args, cwd);
  if (!ok) throw new Error(`apt-get ${args.join(' ')} failed: ${lastLine(output)}`);
}

function attempt(args: readonly string[], cwd?: string): Ran {
  for (let tries = 1; ; tries += 1) {
    const ran = runCommand('apt-get', ['-q', ...PATIENCE, ...args], { env: ENV, ...(cwd && { cwd }) });
    if (ran.ok || tries === TRIES) return ran;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_AGAIN_MS);
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
