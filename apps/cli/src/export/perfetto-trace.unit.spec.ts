import { test } from 'node:test';
import assert from 'node:assert/strict';
import { K } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { PerfettoTrace } from './perfetto-trace.ts';

type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

/** Reads any protobuf message by its wire format alone: knows nothing of what wrote it. */
function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const list = fields.get(tag >>> 3) ?? [];
    fields.set(tag >>> 3, list);
    switch (tag & 7) {
      case 0:
        list.push(varint());
        break;
      case 1:
        list.push(bytes.readBigUInt64LE(at));
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        assert.ok(at + length <= bytes.length);
        list.push(bytes.subarray(at, at + length));
        at += length;
        break;
      }
      default:
        assert.fail(`wire type ${tag & 7}`);
    }
  }
  return fields;
}

const inside = (fields: Fields, number: number): Fields | undefined => {
  const found = fields.get(number)?.[0];
  return found instanceof Buffer ? fieldsOf(found) : undefined;
};
const value = (fields: Fields, number: number): number => Number(fields.get(number)?.[0] ?? 0);
const text = (fields: Fields, number: number): string => String(fields.get(number)?.[0] ?? '');

const counts = new Map<number, number>();
const packets: readonly Fields[] = (() => {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 4 });
  const trace = new PerfettoTrace();
  const parts: Uint8Array[] = [];
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    for (let i = 0; i < frame.rows.length; i += 1) counts.set(frame.rows.kind[i]!, (counts.get(frame.rows.kind[i]!) ?? 0) + 1);
    parts.push(trace.write(frame));
  }
  parts.push(trace.end());
  return fieldsOf(Buffer.concat(parts))
    .get(1)!
    .map((packet) => fieldsOf(packet as Buffer));
})();

const tracks = new Map(packets.flatMap((packet) => inside(packet, 60) ?? []).map((track) => [value(track, 1), track]));
const events = packets.flatMap((packet) => {
  const event = inside(packet, 11);
  return event === undefined
    ? []
    : [{ at: value(packet, 8), flags: value(packet, 13), type: value(event, 9), track: value(event, 11), event }];
});

test('a trace has a process per machine, a thread per actor, and counters and table levels below the process', () => {
  const named = [...tracks.values()].map(
    (track) => text(track, 2) || text(inside(track, 4) ?? new Map(), 5) || text(inside(track, 3) ?? new Map(), 6),
  );
  for (const name of ['vCPU 0', 'vCPU 1', 'VMM', 'reclaim worker', 'pending frees', 'live tables', 'tables of level 3'])
    assert.ok(named.includes(name), name);
  assert.match(named[0]!, /^machine 0 \(rcu\), smoke-/);
});

test('names are told before they are used, and the first packet clears the state', () => {
  assert.equal(value(packets[0]!, 13), 1);
  const known = new Set<number>();
  for (const packet of packets) {
    for (const name of inside(packet, 12)?.get(2) ?? []) known.add(value(fieldsOf(name as Buffer), 1));
    const event = inside(packet, 11);
    if (event?.has(10) === true) assert.ok(known.has(value(event, 10)));
  }
});

test('slices nest: as many end as begin, on tracks that were described, and time never goes back on a track', () => {
  const depth = new Map<number, number>();
  const last = new Map<number, number>();
  for (const { at, flags, type, track } of events) {
    assert.equal(flags, 2);
    assert.ok(tracks.has(track));
    assert.ok(at >= (last.get(track) ?? 0));
    last.set(track, at);
    const open = (depth.get(track) ?? 0) + (type === 1 ? 1 : type === 2 ? -1 : 0);
    assert.ok(open >= 0);
    depth.set(track, open);
  }
  assert.deepEqual([...new Set(depth.values())], [0]);
  const begun = [K.faultTaken, K.operationBegan, K.lockContended, K.walkBegan, K.reclaimBegan].reduce(
    (sum, kind) => sum + (counts.get(kind) ?? 0),
    0,
  );
  assert.equal(events.filter(({ type }) => type === 1).length, begun);
});

test('a flow leads from each retired table to its free, and the counters end at zero', () => {
  const begins = events.filter(({ event }) => event.has(47)).map(({ at, event }) => ({ at, id: event.get(47)![0]! as bigint }));
  const ends = new Map(events.filter(({ event }) => event.has(48)).map(({ at, event }) => [event.get(48)![0]! as bigint, at]));
  assert.equal(begins.length, counts.get(K.tableRetired));
  for (const { at, id } of begins) assert.ok(ends.get(id)! >= at, `flow ${id}`);
  for (const name of ['pending frees', 'live tables']) {
    const [uuid] = [...tracks].find(([, track]) => text(track, 2) === name)!;
    const samples = events.filter(({ track }) => track === uuid).map(({ type, event }) => (assert.equal(type, 4), value(event, 30)));
    assert.ok(Math.max(...samples) > 0);
    assert.equal(samples.at(-1), 0);
  }
});
