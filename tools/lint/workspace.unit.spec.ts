import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EDGES, PURE } from './edges.ts';
import { tableProblems, workspaceProblems } from './workspace.ts';

const projects: string[] = [];
after(() => projects.forEach((project) => rmSync(project, { recursive: true, force: true })));

/** A workspace with a sound package.json for every package of the table, but for the given files. */
function workspace(files: Readonly<Record<string, string>>): string {
  const project = mkdtempSync(join(tmpdir(), 's2lab-workspace-'));
  projects.push(project);
  const sound = Object.keys(EDGES).map((name) => [`${name === 'infra' ? '' : 'libs/'}${name}/package.json`, packageJson(name, {})]);
  for (const [file, text] of [['package-lock.json', '{"packages":{}}'], ...sound, ...Object.entries(files)] as Array<[string, string]>) {
    mkdirSync(dirname(join(project, file)), { recursive: true });
    writeFileSync(join(project, file), text);
  }
  return project;
}

function packageJson(name: string, changes: object): string {
  const tags = [PURE.includes(name) ? 'plane:pure' : 'plane:io'];
  return JSON.stringify({
    name: `@s2lab/${name}`,
    exports: { '.': './src/index.ts' },
    nx: { tags, targets: { test: {}, lint: {} } },
    ...changes,
  });
}

describe('the workspace check', () => {
  it('finds nothing in a sound workspace', () => {
    assert.deepEqual(workspaceProblems(workspace({ 'docs/README.md': 'See `~/' + 'work/` and node_modules/x.' })), []);
  });

  const bad: ReadonlyArray<readonly [says: string, file: string, text: string, problem: RegExp]> = [
    [
      'a dependency that is no allowed edge',
      'libs/invariants/package.json',
      packageJson('invariants', { dependencies: { '@s2lab/engine': '*' } }),
      /invariants may not depend on engine/,
    ],
    [
      'a dependency on the test kit outside of devDependencies',
      'libs/metrics/package.json',
      packageJson('metrics', { dependencies: { '@s2lab/testkit': '*' } }),
      /metrics may not depend on testkit/,
    ],
    [
      'pure code that depends on a library',
      'libs/engine/package.json',
      packageJson('engine', { dependencies: { fastify: '*' } }),
      /pure code may not depend on fastify/,
    ],
    [
      'a pure package without its tag',
      'libs/arch/package.json',
      packageJson('arch', { nx: { tags: ['plane:io'], targets: { test: {}, lint: {} } } }),
      /plane:pure tag/,
    ],
    [
      'a lock file that is not complete',
      'package-lock.json',
      '{"packages":{"node_modules/a":{"optionalDependencies":{"a-darwin-x64":"1.0.0"}}}}',
      /lacks 1 packages of other platforms, such as node_modules\/a-darwin-x64/,
    ],
    [
      'a package that Nx cannot test',
      'libs/arch/package.json',
      packageJson('arch', { nx: { tags: ['plane:pure'], targets: { lint: {} } } }),
      /nx\.targets lacks "test"/,
    ],
    [
      'a package that opens its inside',
      'libs/arch/package.json',
      packageJson('arch', { exports: { './*': './src/*' } }),
      /exports something else/,
    ],
    ['a package that the table does not know', 'libs/extra/package.json', packageJson('extra', {}), /extra is not in the table/],
    ['a package under another name', 'libs/arch/package.json', packageJson('arch', { name: 'arch' }), /is named arch/],
    ['a file with a banned name', 'libs/arch/src/string-utils.ts', '', /string-utils\.ts: name the file/],
    ...['work', 'root', 'home/someone', 'Users/someone', 'tmp'].map(
      (top) => [`a path under ${top}`, 'docs/a.md', `Run \`/${top}/lab/run.sh\`.`, /a\.md:1: names a path of one machine/] as const,
    ),
    ...['registry.npm' + 'js.org', 'py' + 'pi.org', 'repo1.mav' + 'en.org', 'deb.deb' + 'ian.org'].map(
      (host) => [`the host ${host}`, '.npmrc', `registry=https://${host}/`, /\.npmrc:1: names a package registry/] as const,
    ),
  ];
  for (const [says, file, text, problem] of bad) {
    it(`finds ${says}`, () => {
      const problems = workspaceProblems(workspace({ [file]: text }));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0]!, problem);
    });
  }

  it('finds a cycle in the table of edges', () => {
    assert.deepEqual(tableProblems({ a: ['b'], b: ['c'], c: ['a'] }), ['tools/lint/edges.ts: cycle a → b → c → a']);
  });

  it('finds an edge to a package without entry', () => {
    assert.deepEqual(tableProblems({ a: ['b'] }), ['tools/lint/edges.ts: a may import b, which has no entry']);
  });
});
