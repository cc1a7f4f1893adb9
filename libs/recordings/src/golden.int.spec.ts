import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { importGolden } from './index.ts';

const GOLDEN = join(import.meta.dirname, '../../../testdata/golden');

/** The invariant that each deliberate defect breaks. */
const DEFECTS: Readonly<Record<string, string>> = {
  'no-tlbi-on-break': 'I3',
  'no-bbm-on-collapse': 'I3',
  'tlbi-before-clear': 'I3',
  'free-now': 'I8',
  'missing-put-on-unmap': 'I7',
  'put-on-uncounted': 'I7',
  'no-dsb-after-map': 'I15',
};

function recordings(folder: string): string[] {
  return readdirSync(join(GOLDEN, folder)).filter((name) => name.endsWith('.jsonl.gz'));
}

function judge(folder: string, name: string, keeps: (line: string) => boolean = () => true): ReturnType<Verifier['finish']> {
  const verifier = new Verifier({ maxViolations: 3 });
  const lines = gunzipSync(readFileSync(join(GOLDEN, folder, name)))
    .toString('utf8')
    .split('\n')
    .filter(keeps);
  for (const frame of importGolden(lines)) verifier.fold(frame);
  return verifier.finish();
}

for (const folder of ['stock', 'kvm', 'pkvm', 'v6.1']) {
  for (const name of recordings(folder)) {
    test(`the recording ${folder}/${name} of the kernel obeys every rule`, () => {
      const verdict = judge(folder, name);
      assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
      assert.ok(verdict.events > 100, `only ${verdict.events} events were imported`);
    });
  }
}

for (const name of recordings('kvm').filter((file) => file.startsWith('dirty-log'))) {
  test(`the recording kvm/${name} without one of its dirty marks breaks I12 and nothing else`, () => {
    let marks = 0;
    const verdict = judge('kvm', name, (line) => !line.startsWith('{"e":"dirty"') || (marks += 1) !== 3);
    assert.ok(marks > 3);
    assert.deepEqual(Object.keys(verdict.counts), ['I12'], formatVerdict(verdict));
  });
}

const labels = JSON.parse(readFileSync(join(GOLDEN, 'broken/labels.json'), 'utf8')) as Record<string, { variant: string; wrong: string }>;

for (const [label, { variant, wrong }] of Object.entries(labels)) {
  test(`broken/${label} breaks ${DEFECTS[variant]}: ${wrong}`, () => {
    const verdict = judge('broken', `${label}.jsonl.gz`);
    assert.equal(verdict.verdict, 'violated');
    assert.ok((verdict.counts[DEFECTS[variant]!] ?? 0) > 0, formatVerdict(verdict));
    assert.equal(
      verdict.violations[0]!.invariant,
      DEFECTS[variant],
      'the first violation names the defect, what follows are its consequences',
    );
  });
}

test('every broken recording has a label', () => {
  assert.deepEqual(
    recordings('broken')
      .map((name) => name.replace('.jsonl.gz', ''))
      .toSorted(),
    Object.keys(labels).toSorted(),
  );
});
