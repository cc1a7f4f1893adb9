import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ROOT, runCommand } from './project.ts';

// Inside the project, since specs are named by their path in it; made for this run, and not named *.spec.ts, so that no other run finds them.
const folder = mkdtempSync(join(ROOT, 'tools/.specs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the runner says about a spec file with this text. */
function runnerOn(text: string, env: Record<string, string> = {}, args: readonly string[] = []): { ok: boolean; lines: string[] } {
  const file = join(folder, 'case.ts');
  writeFileSync(file, `import { test } from 'node:test';\n${text}`);
  // With NODE_TEST_CONTEXT the inner runner would take itself for a part of this one.
  const { ok, output } = runCommand(process.execPath, ['tools/test.ts', ...args, file.slice(ROOT.length + 1)], {
    env: { NODE_TEST_CONTEXT: undefined, CI: '', S2LAB_CI: '', ...env },
  });
  return { ok, lines: output.trim().split('\n') };
}

describe('the test runner', () => {
  it('counts what passed and ends with the closing line alone', () => {
    assert.deepEqual(runnerOn("test('a', () => {}); test('b', async (t) => { await t.test('c', () => {}); });"), {
      ok: true,
      lines: ['3 passed, 0 failed'],
    });
  });

  it('prints a failure in full, with what its file printed', () => {
    const { ok, lines } = runnerOn("console.log('on the way'); test('adds', () => { throw new Error('off by one'); });");
    assert.equal(ok, false);
    assert.match(lines.join('\n'), /FAIL .*case\.ts › adds\n +Error: off by one\n(.*\n)+.*\| on the way\n(.*\n)*0 passed, 1 failed$/);
  });

  it('says a skip aloud, with its reason', () => {
    const { ok, lines } = runnerOn("test('a', (t) => t['skip']('no broker'));");
    assert.equal(ok, true);
    assert.match(lines[0]!, /^SKIPPED .* › a: no broker$/);
    assert.equal(lines.at(-1), '0 passed, 0 failed');
  });

  it('takes a skip for a failure under CI', () => {
    const { ok, lines } = runnerOn("test('a', (t) => t['skip']('no broker'));", { CI: '1' });
    assert.equal(ok, false);
    assert.equal(lines.at(-1), '0 passed, 1 failed');
  });

  it('ends a file that does not end by itself', () => {
    const { ok, lines } = runnerOn("test('a', () => {}); setInterval(() => {}, 1000);", {}, ['--timeout', '1']);
    assert.equal(ok, false);
    assert.match(lines.join('\n'), /did not end within 1 s/);
  });

  it('fails a file that throws outside of a test, and one without tests', () => {
    assert.match(
      runnerOn("throw new Error('at load');").lines.join('\n'),
      /failed outside of a test\n(.*\n)*.*at load\n(.*\n)*0 passed, 1 failed$/,
    );
    assert.match(runnerOn('').lines.join('\n'), /holds no test\n(.*\n)*0 passed, 1 failed$/);
  });

  it('gives properties the seed that was asked for, one of their own when it shall be random, and refuses any other', () => {
    const property =
      "import fc from 'fast-check';\ntest('a', () => console.log(`seed ${fc.readConfigureGlobal().seed}`) ?? fc.assert(false));";
    const seed = (...args: string[]) => /seed (.*)/.exec(runnerOn(property, {}, args).lines.join('\n'))?.[1];
    assert.deepEqual([seed(), seed('--seed=-7'), seed('--seed', 'random')], ['1', '-7', 'undefined']);
    const { ok, lines } = runnerOn(property, {}, ['--seed', 'x']);
    assert.deepEqual([ok, lines], [false, ['test: --seed x: wants a whole number of 32 bits, or random']]);
  });

  it('refuses a path that is not there', () => {
    const { ok, output } = runCommand(process.execPath, ['tools/test.ts', 'libs/nowhere']);
    assert.deepEqual([ok, output.trim()], [false, 'test: no file or folder libs/nowhere']);
  });
});
