import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { cliMarkdown } from './cli-docs.ts';
import { buildProgram, COMMANDS } from './program.ts';

test('docs/CLI.md is what the command line says of itself', async () => {
  const path = new URL('../../../docs/CLI.md', import.meta.url);
  const text = await cliMarkdown();
  if (process.env['UPDATE_DOCS']) writeFileSync(path, text);
  assert.equal(readFileSync(path, 'utf8'), text, 'run UPDATE_DOCS=1 npx node --test apps/cli/src/*.spec.ts');
});

test('every command has a documented --json', async () => {
  const sections = (await cliMarkdown()).split('\n## ').slice(1);
  assert.ok(sections.length >= 11);
  for (const section of sections) {
    const name = section.slice(0, section.indexOf('\n'));
    assert.match(section, /--json/, name);
    assert.match(section, /With `--json`:/, name);
    if (!/schema|scenarios|policies/.test(name)) assert.match(section, /Examples?:/, name);
  }
});

test('a program for one command has that one and those of its file, and no other', async () => {
  for (const [names] of COMMANDS) {
    for (const name of names) {
      const { commands } = await buildProgram(name);
      assert.deepEqual(
        commands.map((command) => command.name()),
        names,
      );
    }
  }
  const all = await buildProgram('no-such-command');
  assert.deepEqual(
    all.commands.map((command) => command.name()),
    COMMANDS.flatMap(([names]) => names),
  );
});
