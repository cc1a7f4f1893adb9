import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { cliMarkdown } from './cli-docs.ts';

test('docs/CLI.md is what the command line says of itself', () => {
  const path = new URL('../../../docs/CLI.md', import.meta.url);
  const text = cliMarkdown();
  if (process.env['UPDATE_DOCS']) writeFileSync(path, text);
  assert.equal(readFileSync(path, 'utf8'), text, 'run UPDATE_DOCS=1 npx node --test apps/cli/src/*.spec.ts');
});

test('every command has a documented --json', () => {
  const sections = cliMarkdown().split('\n## ').slice(1);
  assert.ok(sections.length >= 11);
  for (const section of sections) {
    const name = section.slice(0, section.indexOf('\n'));
    assert.match(section, /--json/, name);
    assert.match(section, /With `--json`:/, name);
    if (!/schema|scenarios|policies/.test(name)) assert.match(section, /Examples?:/, name);
  }
});
