// `npm run lock`: after a change of dependencies, completes package-lock.json for the platforms that this machine's registry does not serve.
// npm leaves out of the lock file what it cannot look up, and then `npm ci` refuses that very file (npm/cli issue 9846).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project.ts';

/** As much of package-lock.json (version 3) as matters here: entries by their place, such as `node_modules/a/node_modules/b`. */
export interface Lock {
  packages: Record<string, LockEntry>;
}

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const PLATFORM = /[-/](aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-([a-z0-9]+)(?:-(gnu|musl))?/;

/**
 * The entries that the lock file lacks: optional dependencies for other platforms, which are named after their platform.
 * They carry no checksum, since nobody here has seen the package.
 * @throws when an optional dependency is missing that is not named after a platform.
 */
export function missingEntries(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [place, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, place, name)) continue;
      const [, os, cpu, libc] = PLATFORM.exec(name) ?? [];
      if (!os || !cpu) throw new Error(`package-lock.json lacks ${name}, wanted by ${place}; run \`npm install\``);
      const libcName = libc && { libc: [libc === 'gnu' ? 'glibc' : libc] };
      missing[`node_modules/${name}`] = { version, cpu: [cpu], ...(entry.dev && { dev: true }), ...libcName, optional: true, os: [os] };
    }
  }
  return missing;
}

/** Whether `name`, as looked up from `place` outwards, has an entry. */
function isLocked(lock: Lock, place: string, name: string): boolean {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    if (`${from === '' ? '' : `${from}/`}node_modules/${name}` in lock.packages) return true;
    if (from === '') return false;
  }
}

/** @returns the lock file of the project under `root`. */
export function readLock(root: string): Lock {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
}

if (import.meta.main) {
  const lock = readLock(ROOT);
  const missing = missingEntries(lock);
  lock.packages = Object.fromEntries(Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(join(ROOT, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${Object.keys(missing).length} entries added`);
}
