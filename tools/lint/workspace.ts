// What a linter of single source files cannot see: package.json files, names of files, and every tracked text file.
import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { missingEntries, readLock } from '../lock.ts';
import { runCommand } from '../project.ts';
import { DEBT, EDGES, PURE, PURE_LIBRARIES, SPEC_ONLY, mayImport } from './edges.ts';

interface PackageJson {
  readonly name: string;
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[]; readonly targets?: Readonly<Record<string, unknown>> };
}

const BANNED_FILE = /(^|[.-])(utils?|helpers?|manager|common|misc)([.-]|$)/;
const TEXT_FILE =
  /(\.(c?[jt]s|m[jt]s|json|md|ya?ml|xml|txt|sh|html|css|toml|conf|properties)|(^|\/)(Dockerfile[^/]*|run|\.[a-z]+(rc|ignore|attributes|config)))$/;
// Each with its letters broken up by the syntax of expressions, so that this file does not trip over itself.
const FOREIGN_TEXT: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?<![\w.~])\/(?:work|root|tmp|home\/(?!node\b)\w+|Users\/\w+)\/[\w.]/, 'names a path of one machine'],
  [
    /(?:registry\.npmjs|npm\.pkg\.github|pypi|files\.pythonhosted|repo1?\.maven(?:\.apache)?|deb\.debian|security\.debian|crates|proxy\.golang)\.(?:org|com|io)\b/,
    "names a package registry's host",
  ],
];

/** Everything that is wrong with the workspace under `root`, one line each. */
export function workspaceProblems(root: string): string[] {
  return [...tableProblems(), ...packageProblems(root), ...lockProblems(root), ...fileProblems(root)];
}

/** Whether the table itself is sound: it names only packages it has, and it has no cycle. */
export function tableProblems(edges: Readonly<Record<string, readonly string[]>> = EDGES): string[] {
  const problems: string[] = [];
  const settled = new Set<string>();
  const visit = (name: string, way: readonly string[]): void => {
    if (way.includes(name)) problems.push(`tools/lint/edges.ts: cycle ${[...way.slice(way.indexOf(name)), name].join(' → ')}`);
    if (way.includes(name) || settled.has(name)) return;
    if (!(name in edges)) problems.push(`tools/lint/edges.ts: ${way.at(-1)} may import ${name}, which has no entry`);
    for (const next of edges[name] ?? []) visit(next, [...way, name]);
    settled.add(name);
  };
  for (const name of Object.keys(edges)) visit(name, []);
  return problems;
}

function packageProblems(root: string): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  for (const file of globSync(['{apps,libs}/*/package.json', 'infra/package.json'], { cwd: root }).sort()) {
    const json = JSON.parse(readFileSync(join(root, file), 'utf8')) as PackageJson;
    const name = file.split('/').at(-2) ?? '';
    names.add(name);
    const wrong = (what: string): number => problems.push(`${file}: ${what}`);
    if (!(name in EDGES)) wrong(`${name} is not in the table of edges (tools/lint/edges.ts)`);
    if (json.name !== `@s2lab/${name}`) wrong(`is named ${json.name}, not @s2lab/${name}`);
    if (name !== 'infra' && name !== 'cli' && JSON.stringify(json.exports) !== '{".":"./src/index.ts"}')
      wrong('exports something else than ./src/index.ts');
    if (PURE.includes(name) !== (json.nx?.tags?.includes('plane:pure') ?? false))
      wrong('its plane:pure tag disagrees with PURE in tools/lint/edges.ts');
    for (const target of ['test', 'lint']) if (!json.nx?.targets?.[target]) wrong(`nx.targets lacks "${target}": {}`);
    for (const dependency of Object.keys(json.dependencies ?? {})) {
      const to = /^@s2lab\/(.*)/.exec(dependency)?.[1];
      if (!to && PURE.includes(name) && !PURE_LIBRARIES.includes(dependency))
        wrong(`pure code may not depend on ${dependency} (PURE_LIBRARIES in tools/lint/edges.ts)`);
      if (to && (!mayImport(name, to) || SPEC_ONLY.includes(to))) wrong(`${name} may not depend on ${to} (tools/lint/edges.ts)`);
    }
  }
  for (const name of Object.keys(EDGES)) if (!names.has(name)) problems.push(`tools/lint/edges.ts: there is no package ${name}`);
  for (const edge of Object.keys(DEBT))
    if (!/^[\w-]+ → [\w-]+$/.test(edge)) problems.push(`tools/lint/edges.ts: debt '${edge}' is not 'from → to'`);
  return problems;
}

function lockProblems(root: string): string[] {
  const missing = Object.keys(missingEntries(readLock(root)));
  return missing.length === 0
    ? []
    : [`package-lock.json: lacks ${missing.length} packages of other platforms, such as ${missing[0]}; run \`npm run lock\``];
}

function fileProblems(root: string): string[] {
  const problems: string[] = [];
  for (const file of trackedFiles(root)) {
    if (BANNED_FILE.test(basename(file).replace(/\.[^.]*$/, ''))) problems.push(`${file}: name the file for what it does`);
    if (!TEXT_FILE.test(file) || !existsSync(join(root, file))) continue;
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    for (const [index, line] of lines.entries()) {
      for (const [pattern, what] of FOREIGN_TEXT)
        if (pattern.test(line)) problems.push(`${file}:${index + 1}: ${what}: ${pattern.exec(line)?.[0]}`);
    }
  }
  return problems;
}

/** Files that git tracks or would track; outside of a repository, all but what tools leave behind. */
function trackedFiles(root: string): string[] {
  const listed = runCommand('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  if (listed.ok) return listed.output.split('\0').filter(Boolean);
  const left = new Set(['node_modules', '.nx', '.cache', 'dist', 'coverage', 'runs', '.git']);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((file) => !file.split('/').some((part) => left.has(part)));
}
