// What the linter checks and why: docs/adr/0003-lint.md. What a linter of single files cannot see is in tools/lint/workspace.ts.
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'oxlint';
import { PURE } from './tools/lint/edges.ts';

const BANNED_NAMES = ['utils', 'util', 'helpers', 'helper', 'manager', 'common', 'misc'];
const BANNED_FILES = {
  regex: '^\\.{1,2}/(.*/)?(utils?|helpers?|manager|common|misc)(/|\\.ts$)',
  message: 'Name the file for what it does.',
};
const IMPURE_GLOBALS = [
  'Date',
  'performance',
  'process',
  'console',
  'fetch',
  'crypto',
  'Buffer',
  'navigator',
  'document',
  'window',
  'localStorage',
  'WebSocket',
  'Worker',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'requestAnimationFrame',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
];

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise'],
  jsPlugins: [fileURLToPath(new URL('./tools/lint/plugin.ts', import.meta.url))],
  categories: { correctness: 'error' },
  options: { typeAware: true },
  ignorePatterns: ['testdata/**', '**/dist/**'],
  rules: {
    'max-lines': ['error', { max: 500 }],
    'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'anywhere' }],
    'id-denylist': ['error', ...BANNED_NAMES],
    'no-restricted-imports': ['error', { patterns: [BANNED_FILES] }],
    'typescript/unbound-method': 'off', // kafkajs hands out functions declared as methods
    'unicorn/no-new-array': 'off', // arrays of known length are made on purpose
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    // What node:test's own functions return is awaited by its runner.
    'typescript/no-floating-promises': [
      'error',
      { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] }] },
    ],
    'typescript/no-misused-promises': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    's2lab/import-edges': 'error',
    's2lab/exported-docstring': 'error',
    's2lab/no-skipped-tests': 'error',
  },
  overrides: [
    {
      // One long describe() is a table of tests, not a function.
      files: ['**/*.spec.ts', '**/*-contract.ts'],
      rules: { 'max-lines-per-function': 'off' },
    },
    {
      files: ['**/*.spec.ts'],
      rules: {
        's2lab/exported-docstring': 'off',
      },
    },
    {
      files: PURE.map((name) => `**/libs/${name}/src/**/*.ts`),
      excludeFiles: ['**/*.spec.ts'],
      rules: {
        'no-restricted-imports': [
          'error',
          { patterns: [{ regex: `^(node:.*|${builtinModules.join('|')})$`, message: 'Pure code uses nothing of Node.' }, BANNED_FILES] },
        ],
        'no-restricted-globals': [
          'error',
          ...IMPURE_GLOBALS.map((name) => ({ name, message: 'Pure code has no clock, no timer, no chance and no I/O.' })),
        ],
        'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Chance comes from the seeded scheduler.' }],
      },
    },
  ],
});
