import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CachedEntries } from './cached-entries.ts';
import { DirtyBitmap } from './dirty-log.ts';

/** Pages of the bitmap: more than one of its pieces, and no whole number of words. */
const PAGES = 2 ** 15 + 2 ** 15 + 77;

test('a dirty bitmap holds what was set and not cleared since, however the ranges lie', () => {
  const range = fc.tuple(fc.nat(PAGES + 5), fc.nat(PAGES));
  const step = fc.oneof(
    fc.record({ set: fc.nat(PAGES + 5) }),
    fc.record({ clear: range }),
    fc.record({ clear: fc.constantFrom([0, 2 ** 15] as const, [2 ** 15, PAGES] as const) }),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 12 }), (allSet, steps) => {
      const bitmap = new DirtyBitmap(0, 0, PAGES * 4096, 4096, false);
      bitmap.start(allSet, 0, -1);
      const model = new Uint8Array(PAGES).fill(allSet ? 1 : 0);
      for (const one of steps) {
        if ('set' in one) {
          bitmap.set(one.set);
          model[one.set] = 1;
        } else {
          bitmap.clear(one.clear[0], one.clear[0] + one.clear[1]);
          model.fill(0, one.clear[0], one.clear[0] + one.clear[1]);
        }
      }
      for (let page = 0; page < PAGES; page++) if (bitmap.has(page) !== (model[page] === 1)) assert.fail(`page ${page}`);
    }),
    { numRuns: 60 },
  );
});

interface Known {
  readonly first: number;
  readonly loadedAt: number;
  dead: boolean;
}

test('cached entries are found dead or alive as the invalidations since their load say', () => {
  const level = fc.nat(3);
  const block = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 2 ** 40 }));
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: fc.tuple(level, block) }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.tuple(level, block) }) },
    { weight: 2, arbitrary: fc.record({ kill: fc.tuple(level, fc.nat(20), fc.nat(12)) }) },
    { weight: 1, arbitrary: fc.record({ killAll: fc.nat(3) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const entries = new CachedEntries();
      const model = new Map<string, Known>();
      for (const [seq, one] of steps.entries()) {
        if ('put' in one) {
          entries.put(...one.put, seq, 0, seq);
          model.set(one.put.join(), { first: seq, loadedAt: seq, dead: false });
        } else if ('remove' in one) {
          const i = entries.find(...one.remove);
          if (i >= 0) entries.remove(i);
          model.delete(one.remove.join());
        } else if ('kill' in one) {
          const [at, from, more] = one.kill;
          entries.killBlocks(at, from, from + more, seq, seq);
          for (let b = from; b <= from + more; b++) if (model.has(`${at},${b}`)) model.get(`${at},${b}`)!.dead = true;
        } else {
          const killer = Math.max(0, seq - one.killAll);
          entries.killAll(killer, seq);
          for (const known of model.values()) if (known.loadedAt < killer) known.dead = true;
        }
        for (const [key, known] of model) {
          const [at, b] = key.split(',').map(Number);
          const i = entries.find(at!, b!);
          // What is dead may be forgotten to make room; what is alive may not.
          if (i < 0) assert.ok(known.dead, `${key} is gone`);
          else assert.deepEqual([entries.first[i], entries.isDead(i)], [known.first, known.dead], key);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('a vCPU that claims to cache without end is followed no further, in bounded room', () => {
  const entries = new CachedEntries();
  for (let block = 0; block < 150_000; block++) entries.put(3, block, 0, 0, block);
  assert.equal(entries.lossy, true);
  assert.ok(entries.loadedAt.length <= 2 ** 19);
});
