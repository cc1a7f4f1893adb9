import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ROOT, runBin } from '../project.ts';

interface Fixture {
  readonly says: string;
  readonly file: string;
  readonly text: string;
  /** The rule that must fire; undefined for a file that must pass. */
  readonly rule?: string;
}

const FIXTURES: readonly Fixture[] = [
  {
    says: 'an edge that is not in the table',
    file: 'libs/invariants/src/a.ts',
    text: "import { x } from '@s2lab/engine';\nx();",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'an edge that is not in the table, of types only',
    file: 'libs/arch/src/a.ts',
    text: "import type { X } from '@s2lab/events';\nlet x: X;",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'an edge that is not in the table, by re-export',
    file: 'libs/events/src/a.ts',
    text: "export * from '@s2lab/engine';",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'an edge that is not in the table, at run time',
    file: 'libs/metrics/src/a.ts',
    text: "await import('@s2lab/engine');",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'an app that imports another app',
    file: 'apps/fleet/src/a.ts',
    text: "import { x } from '@s2lab/verifier';\nx();",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'a deep import',
    file: 'libs/engine/src/b.ts',
    text: "import { x } from '@s2lab/arch/src/address.ts';\nx();",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'a relative import out of the package',
    file: 'libs/engine/src/c.ts',
    text: "import { x } from '../../arch/src/address.ts';\nx();",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'source that imports the test kit',
    file: 'libs/frame/src/a.ts',
    text: "import { x } from '@s2lab/testkit';\nx();",
    rule: 's2lab(import-edges)',
  },
  {
    says: 'an unknown package',
    file: 'libs/frame/src/b.ts',
    text: "import { x } from '@s2lab/unheard-of';\nx();",
    rule: 's2lab(import-edges)',
  },
  { says: 'an allowed edge', file: 'libs/engine/src/d.ts', text: "import { x } from '@s2lab/arch';\nx();" },
  { says: 'a spec that imports the test kit', file: 'libs/engine/src/d.unit.spec.ts', text: "import { x } from '@s2lab/testkit';\nx();" },
  {
    says: 'a cycle of files',
    file: 'libs/engine/src/e.ts',
    text: "import { f } from './f.ts';\n/** e */\nexport const e = (): unknown => f;",
    rule: 'import(no-cycle)',
  },
  {
    says: 'the other half of the cycle',
    file: 'libs/engine/src/f.ts',
    text: "import { e } from './e.ts';\n/** f */\nexport const f = (): unknown => e;",
    rule: 'import(no-cycle)',
  },
  {
    says: 'Node in pure code',
    file: 'libs/arch/src/b.ts',
    text: "import { join } from 'node:path';\njoin('a');",
    rule: 'eslint(no-restricted-imports)',
  },
  {
    says: 'Node in pure code, by its bare name',
    file: 'libs/arch/src/c.ts',
    text: "import { join } from 'path';\njoin('a');",
    rule: 'eslint(no-restricted-imports)',
  },
  ...[
    'Date.now()',
    'performance.now()',
    'process.exit()',
    "console.log('')",
    "fetch('')",
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'queueMicrotask(f)',
  ].map((call, index) => ({
    says: `${call} in pure code`,
    file: `libs/scheduler/src/impure-${index}.ts`,
    text: `const f = (): void => {};\nf();\nvoid ${call};`,
    rule: 'eslint(no-restricted-globals)',
  })),
  {
    says: 'Math.random in pure code',
    file: 'libs/scheduler/src/chance.ts',
    text: 'let x = Math.random();\nx += 1;',
    rule: 'eslint(no-restricted-properties)',
  },
  { says: 'the clock in code that is not pure', file: 'libs/metrics/src/clock.ts', text: 'void Date.now();' },
  { says: 'a banned name', file: 'libs/arch/src/d.ts', text: 'const helpers = [1];\nvoid helpers;', rule: 'eslint(id-denylist)' },
  {
    says: 'a banned file name, where it is imported',
    file: 'libs/metrics/src/b.ts',
    text: "import { x } from './utils.ts';\nx();",
    rule: 'eslint(no-restricted-imports)',
  },
  {
    says: 'a banned file name, imported by pure code',
    file: 'libs/arch/src/e.ts',
    text: "import { x } from './common.ts';\nx();",
    rule: 'eslint(no-restricted-imports)',
  },
  { says: 'a file of 501 lines', file: 'libs/arch/src/long.ts', text: 'void 0;\n'.repeat(501), rule: 'eslint(max-lines)' },
  {
    says: 'a function of 71 lines',
    file: 'libs/arch/src/tall.ts',
    text: `void function tall() {\n${'  void 0;\n'.repeat(69)}};`,
    rule: 'eslint(max-lines-per-function)',
  },
  { says: 'a function of 70 lines', file: 'libs/arch/src/fits.ts', text: `void function fits() {\n${'  void 0;\n'.repeat(68)}};` },
  ...['function x(): void {}', 'class X {}', 'interface X { readonly a: 1 }', 'type X = 1;', 'const x = 1;'].map((declaration, index) => ({
    says: `an exported '${declaration}' without docstring`,
    file: `libs/arch/src/bare-${index}.ts`,
    text: `// No docstring, this.\nexport ${declaration}`,
    rule: 's2lab(exported-docstring)',
  })),
  {
    says: 'a docstring, and overloads that share it',
    file: 'libs/arch/src/told.ts',
    text: '/** One. */\nexport function x(a: 1): 1;\nexport function x(a: 2): 2;\nexport function x(a: number): number { return a; }',
  },
  { says: 'a re-export', file: 'libs/arch/src/index.ts', text: "export { x } from './told.ts';" },
  ...['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].map((word) => ({
    says: `a comment with ${word}`,
    file: `libs/arch/src/${word.toLowerCase()}.ts`,
    text: `// ${word}: later\nvoid 0;`,
    rule: 'eslint(no-warning-comments)',
  })),
  ...[
    ...['skip', 'only', 'todo'].map((word) => `test.${word}('a', () => {});`),
    "test('a', { skip: true }, () => {});",
    "test('a', (t) => t.skip());",
  ].map((call, index) => ({
    says: call,
    file: `libs/arch/src/left-out-${index}.unit.spec.ts`,
    text: `import { test } from 'node:test';\n${call}`,
    rule: 's2lab(no-skipped-tests)',
  })),
  {
    says: 'a promise that nobody awaits',
    file: 'libs/frame/src/float.ts',
    text: 'const later = async (): Promise<void> => {};\nlater();',
    rule: 'typescript(no-floating-promises)',
  },
  {
    says: 'a switch that forgets a case',
    file: 'libs/arch/src/forgets.ts',
    text: "declare const kind: 'a' | 'b';\nswitch (kind) {\n  case 'a': break;\n}",
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  { says: 'a file name in camel case', file: 'libs/arch/src/camelCase.ts', text: 'void 0;', rule: 'unicorn(filename-case)' },
];

describe('the linter, over a project of bad files', () => {
  const project = mkdtempSync(join(tmpdir(), 's2lab-lint-'));
  after(() => rmSync(project, { recursive: true, force: true }));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(project, file)), { recursive: true });
    writeFileSync(join(project, file), text);
  };
  write('oxlint.config.ts', `export { default } from '${ROOT}/oxlint.config.ts';`);
  write(
    'tsconfig.json',
    '{ "compilerOptions": { "strict": true, "noEmit": true, "target": "es2024", "module": "nodenext", "allowImportingTsExtensions": true } }',
  );
  for (const { file, text } of FIXTURES) write(file, text);
  const { output } = runBin('oxlint', ['-f', 'json'], project);
  const { diagnostics } = JSON.parse(output) as { diagnostics: readonly { code: string; filename: string }[] };

  for (const { says, file, rule } of FIXTURES) {
    it(`${rule === undefined ? 'lets pass' : 'finds'} ${says}`, () => {
      const rules = diagnostics.filter(({ filename }) => filename === file).map(({ code }) => code);
      if (rule === undefined) assert.deepEqual(rules, []);
      else assert.ok(rules.includes(rule), `${rule} did not fire; these did: ${rules.join(', ') || 'none'}`);
    });
  }
});
