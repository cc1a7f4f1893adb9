// Finds, or installs where it may, what integration specs need: `npm run provision`. Safe to run again at any time.
// Everything that is not the system's package manager's goes to .cache/ in the project.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAPABILITIES, CAPABILITY_FILE, type CapabilityName, type CapabilityRecord } from '@s2lab/testkit';
import { aptExtract, aptInstall } from './apt.ts';
import { ROOT, onCi, runCommand } from './project.ts';

interface Need {
  /** The path of what is there already and works; undefined when there is none. */
  find(): string | undefined;
  /** Makes `find` succeed. @throws with the reason why it cannot. */
  install(): void;
}

const CACHE = join(ROOT, '.cache');
const KAFKA_POM = join(ROOT, 'tools/provision/kafka-pom.xml');
const REQUIREMENTS = join(ROOT, 'tools/provision/requirements.txt');
const KAFKA_JARS = join(
  CACHE,
  'kafka',
  /kafka_2\.13<\/artifactId><version>([\d.]+)/.exec(readFileSync(KAFKA_POM, 'utf8'))?.[1] ?? 'unknown',
);
const PYTHON = join(CACHE, 'python/bin/python');
const DEBIAN_PROMETHEUS = join(CACHE, 'prometheus/usr/bin');
const JAVA_MIN = 17;

const NEEDS: Record<CapabilityName, Need> = {
  java: {
    find: findJava,
    install: () => aptInstall('openjdk-17-jre-headless'),
  },
  kafka: {
    find: () => (findJava() && existsSync(KAFKA_JARS) ? KAFKA_JARS : undefined),
    install: installKafka,
  },
  prometheus: {
    find: () => firstThatRuns([join(DEBIAN_PROMETHEUS, 'prometheus'), 'prometheus'], ['--version']),
    install: () => aptExtract('prometheus', join(CACHE, 'prometheus')),
  },
  promtool: {
    find: () => firstThatRuns([join(DEBIAN_PROMETHEUS, 'promtool'), 'promtool'], ['--version']),
    install: () => aptExtract('prometheus', join(CACHE, 'prometheus')),
  },
  chromium: {
    find: () =>
      firstThatRuns(
        ['chromium', 'chromium-browser', 'google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
        ['--version'],
      ),
    install: () => aptInstall('chromium'),
  },
  pyarrow: {
    find: () => firstThatRuns([PYTHON], ['-c', 'import duckdb, pyarrow']),
    install: installPython,
  },
  perfetto: {
    find: () => firstThatRuns([PYTHON], ['-c', 'import perfetto.protos.perfetto.trace.perfetto_trace_pb2']),
    install: installPython,
  },
};

/**
 * Sees to every need, prints a line for each and writes the record that `capability()` of @s2lab/testkit reads.
 * @returns the names of those that cannot be had.
 */
export function provision(): CapabilityName[] {
  const record: CapabilityRecord = {};
  for (const name of CAPABILITIES) {
    const [word, entry] = see(NEEDS[name]);
    record[name] = entry;
    console.log(`${name.padEnd(10)} ${word}: ${'path' in entry ? entry.path : entry.reason}`);
  }
  const file = fileURLToPath(CAPABILITY_FILE);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return CAPABILITIES.filter((name) => 'reason' in (record[name] ?? {}));
}

function see(need: Need): [word: string, entry: { path: string } | { reason: string }] {
  const present = need.find();
  if (present !== undefined) return ['present', { path: present }];
  try {
    need.install();
  } catch (error) {
    return ['cannot be had', { reason: (error as Error).message }];
  }
  const path = need.find();
  return path === undefined ? ['cannot be had', { reason: 'installed, but it does not run' }] : ['installed', { path }];
}

/** The absolute path of the first program that exists and runs well with `args`. */
function firstThatRuns(programs: readonly string[], args: readonly string[]): string | undefined {
  return programs.map(whereIs).find((path) => path !== undefined && runCommand(path, args).ok);
}

/** @param program an absolute path, or a name to look up in PATH. */
function whereIs(program: string): string | undefined {
  const places = program.startsWith('/') ? [''] : (process.env['PATH'] ?? '').split(':');
  return places.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function findJava(): string | undefined {
  const home = process.env['JAVA_HOME'];
  const candidates = home ? [join(home, 'bin/java'), 'java'] : ['java'];
  return candidates.map(whereIs).find((path) => {
    if (path === undefined) return false;
    const version = /version "(\d+)/.exec(runCommand(path, ['-version']).output)?.[1];
    return Number(version) >= JAVA_MIN;
  });
}

function installKafka(): void {
  if (!findJava()) throw new Error(`it needs java (a JRE of version ${JAVA_MIN} or newer)`);
  if (!whereIs('mvn')) aptInstall('maven');
  const partial = `${KAFKA_JARS}.partial`;
  rmSync(partial, { recursive: true, force: true });
  must('mvn', ['-q', '-B', '-f', KAFKA_POM, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]);
  renameSync(partial, KAFKA_JARS); // last, so that jars that are there are all there
}

function installPython(): void {
  const python = whereIs('python3');
  if (!python) aptInstall('python3-venv');
  const makeVenv = (): boolean => runCommand('python3', ['-m', 'venv', '--clear', join(CACHE, 'python')]).ok;
  if (!makeVenv()) {
    aptInstall('python3-venv');
    if (!makeVenv()) throw new Error('python3 cannot make a virtual environment');
  }
  must(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '-r', REQUIREMENTS]);
}

function must(command: string, args: readonly string[]): void {
  const { ok, output } = runCommand(command, args);
  if (!ok) throw new Error(`${command} failed: ${output.trim().split('\n').slice(-2).join(' ')}`);
}

if (import.meta.main) {
  const missing = provision();
  process.exitCode = missing.length > 0 && onCi() ? 1 : 0;
}
