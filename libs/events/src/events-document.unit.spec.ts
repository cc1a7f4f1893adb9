import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventsDocument } from './index.ts';

test('docs/EVENTS.md is what the schema says (npm run docs:events writes it)', () => {
  assert.equal(readFileSync(new URL('../../../docs/EVENTS.md', import.meta.url), 'utf8'), eventsDocument());
});
