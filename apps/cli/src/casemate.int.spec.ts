import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import type { Verdict } from '@s2lab/invariants';
import { s2lab } from './spawned-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 's2lab-casemate-'));
after(() => rmSync(folder, { recursive: true }));

const TRACES = join(import.meta.dirname, '../../../testdata/casemate');

test('a trace of casemate is imported and judged by its rules, the failing record named', async () => {
  const log = join(folder, 'bad.arrow');
  const imported = await s2lab(['import', 'casemate', join(TRACES, 'probe.write_no_lock.trace'), '-o', log], folder);
  assert.equal(imported.status, 0, imported.stderr);
  assert.equal((await s2lab(['verify', log], folder)).status, 0, 'without the profile nobody has an opinion');
  const judged = await s2lab(['verify', '--profile', 'casemate', log, '--json'], folder);
  assert.equal(judged.status, 1, judged.stderr);
  const { violations } = JSON.parse(judged.stdout) as Verdict;
  assert.match(violations[0]!.because, /must write to pte while holding owner lock\)$/);
});

test('a trace that is none, and a profile that is none, end in one line', async () => {
  const log = join(folder, 'none.arrow');
  const trace = await s2lab(['import', 'casemate', join(TRACES, 'probe.dsb_osh_parse.trace'), '-o', log], folder);
  assert.deepEqual([trace.status, trace.stderr.trim().split('\n').length], [2, 1]);
  assert.match(trace.stderr, /line 17: record 16: .*one of ish, ishst, nsh/);
  const profile = await s2lab(['verify', '--profile', 'casmate', log], folder);
  assert.equal(profile.status, 2);
  assert.match(profile.stderr, /no profile casmate; choose casemate, /);
});

for (const policy of ['rcu', 'rwlock', 'eager', 'v6.1']) {
  test(`a run under ${policy}, written as a casemate trace, holds by casemate’s rules`, async () => {
    const [log, trace, back] = ['run.arrow', 'run.trace', 'back.arrow'].map((name) => join(folder, `${policy}-${name}`)) as [
      string,
      string,
      string,
    ];
    for (const args of [
      ['record', 'smoke', '--policy', policy, '-o', log],
      ['export', log, '--format', 'casemate', '-o', trace],
      ['import', 'casemate', trace, '-o', back],
    ]) {
      const { status, stderr } = await s2lab(args, folder);
      assert.equal(status, 0, stderr);
    }
    const records = readFileSync(trace, 'utf8').split('\n').length - 1;
    const judged = await s2lab(['verify', '--profile', 'casemate-strict', back, '--json'], folder);
    const verdict = JSON.parse(judged.stdout) as Verdict;
    assert.deepEqual([verdict.verdict, verdict.events], ['holds', records + 2], judged.stdout);
    assert.ok(records > 500);
  });
}
