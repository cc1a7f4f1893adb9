import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireCapability } from '@s2lab/testkit';

const FOLDER = fileURLToPath(new URL('../prometheus/', import.meta.url));

function promtool(path: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(path, args, { encoding: 'utf8', cwd: FOLDER });
  return { status, output: stdout + stderr };
}

test('promtool accepts the configuration and its rules', (t) => {
  const path = requireCapability(t, 'promtool');
  if (path === undefined) return;
  const { status, output } = promtool(path, 'check', 'config', 'prometheus.yml');
  assert.equal(status, 0, output);
  assert.match(output, /rules\/s2lab\.rules\.yml\s+SUCCESS: \d+ rules found/);
});

test('every alert fires when it should and is silent when it should', (t) => {
  const path = requireCapability(t, 'promtool');
  if (path === undefined) return;
  const { status, output } = promtool(path, 'test', 'rules', 'rules/s2lab.test.yml');
  assert.equal(status, 0, output);
});

test('a rule that never fires fails its rule test', (t) => {
  const path = requireCapability(t, 'promtool');
  if (path === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 's2lab-rules-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const rules = readFileSync(join(FOLDER, 'rules/s2lab.rules.yml'), 'utf8');
  assert.match(rules, /s2lab_violations_total\) > 0/);
  writeFileSync(join(folder, 's2lab.rules.yml'), rules.replace('s2lab_violations_total) > 0', 's2lab_violations_total) > 9'));
  writeFileSync(join(folder, 's2lab.test.yml'), readFileSync(join(FOLDER, 'rules/s2lab.test.yml')));
  const { status, output } = promtool(path, 'test', 'rules', join(folder, 's2lab.test.yml'));
  assert.notEqual(status, 0);
  assert.match(output, /ViolationSeen/);
});
