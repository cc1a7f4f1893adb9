import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EventInput, KindName } from './index.ts';
import { decodeEvent, encodeEvent, EventColumns, K, KINDS, KIND_NAMES } from './index.ts';

const WIDTH: Record<string, number> = { slot: 2 ** 16 - 1, table: 2 ** 32 - 1, arg: 2 ** 32 - 1, aux: 2 ** 32 - 1 };

/** Any event of any kind, every field within the width of its column. */
function anyEvent(): fc.Arbitrary<EventInput> {
  return fc.constantFrom(...KIND_NAMES).chain((kind: KindName) => {
    const fields: Record<string, fc.Arbitrary<unknown>> = {
      kind: fc.constant(kind),
      at: fc.nat(2 ** 53 - 1),
      actor: fc.nat(65535),
      walk: fc.nat(2 ** 32 - 1),
      stage2: fc.nat(65535),
    };
    for (const [name, [column, format]] of Object.entries(KINDS[kind].fields as Record<string, readonly [string, string]>)) {
      fields[name] =
        format === 'descriptor'
          ? fc.bigInt(0n, 2n ** 64n - 1n).map((bits) => `0x${bits.toString(16)}`)
          : format === 'address' || format === 'bytes'
            ? fc.nat(2 ** 52)
            : format === 'result'
              ? fc.integer({ min: -133, max: 1 })
              : format === 'level'
                ? fc.integer({ min: -1, max: 3 })
                : fc.nat(WIDTH[column]!);
    }
    return fc.record(fields) as unknown as fc.Arbitrary<EventInput>;
  });
}

test('decoding an encoded event gives the same event', () => {
  fc.assert(
    fc.property(fc.array(anyEvent(), { minLength: 1, maxLength: 8 }), (events) => {
      const columns = new EventColumns(8);
      for (const event of events) encodeEvent(columns, event);
      events.forEach((event, i) => {
        assert.deepEqual(decodeEvent(columns, i, 100 + i, 7), { ...event, seq: 100 + i, machine: 7 });
      });
    }),
  );
});

test('every kind has its own code, and the constants for switches agree', () => {
  const codes = KIND_NAMES.map((name) => KINDS[name].code);
  assert.equal(new Set(codes).size, codes.length);
  const camel = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  assert.deepEqual({ ...K }, Object.fromEntries(KIND_NAMES.map((name) => [camel(name), KINDS[name].code])));
});
