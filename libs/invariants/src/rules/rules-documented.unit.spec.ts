import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MUTANTS } from '@s2lab/testkit';
import { RULES } from './index.ts';

const doc = readFileSync(join(import.meta.dirname, '../../../../docs/INVARIANTS.md'), 'utf8').replaceAll(/\s+/g, ' ');

for (const rule of RULES) {
  test(`docs/INVARIANTS.md says of ${rule.id} what the code says`, () => {
    for (const text of [`### ${rule.id} ${rule.name}`, rule.prose, rule.source, rule.state])
      assert.ok(doc.includes(text), `missing: ${text}`);
    for (const mutant of MUTANTS) if (mutant.invariant === rule.id) assert.ok(doc.includes(mutant.name), `missing mutant: ${mutant.name}`);
  });
}
