import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Frame } from '@s2lab/events';
import { copyRows, isDamage, K, wide } from '@s2lab/events';
import { requireCapability } from '@s2lab/testkit';
import { FileSource } from '@s2lab/transport-file';
import { s2lab } from '../spawned-cli.ts';

/**
 * Prints, as JSON, what a trace holds by Perfetto's own definition of its format, folded as its reader does: names by the interned data of
 * their sequence, slices by the stack of their track, flows by their id. A field that the definition does not know is an error.
 */
const READ_WITH_PERFETTO = `
import json, sys
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as perfetto

def check(message):
    assert len(UnknownFieldSet(message)) == 0, f'{message.DESCRIPTOR.full_name}: a field that Perfetto does not know'
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value if field.is_repeated else [value]):
                check(inner)

trace = perfetto.Trace()
trace.ParseFromString(open(sys.argv[1], 'rb').read())
check(trace)
NEEDED = perfetto.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
CLEARED = perfetto.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
TYPE = perfetto.TrackEvent.Type
names, notes, tracks, stacks = {}, {}, {}, {}
slices, begun, ended, counters = [], {}, {}, {}
valid = False
for packet in trace.packet:
    if packet.sequence_flags & CLEARED:
        names.clear(); notes.clear(); valid = True
    assert valid or not packet.sequence_flags & NEEDED, 'needs a state that is not there'
    for one in packet.interned_data.event_names: names[one.iid] = one.name
    for one in packet.interned_data.debug_annotation_names: notes[one.iid] = one.name
    if packet.HasField('track_descriptor'):
        one = packet.track_descriptor
        assert one.parent_uuid == 0 or one.parent_uuid in tracks, 'a parent that was not described'
        name = one.process.process_name or one.thread.thread_name or one.name
        tracks[one.uuid] = {'name': name, 'counter': one.HasField('counter'), 'process': one.thread.pid or one.process.pid or one.parent_uuid}
    if not packet.HasField('track_event'): continue
    event = packet.track_event
    track = tracks[event.track_uuid]
    at = packet.timestamp
    args = {notes[a.name_iid]: a.uint_value if a.HasField('uint_value') else a.pointer_value for a in event.debug_annotations}
    if event.type == TYPE.TYPE_SLICE_BEGIN:
        stacks.setdefault(event.track_uuid, []).append((at, names[event.name_iid], args))
    elif event.type == TYPE.TYPE_SLICE_END:
        began, name, held = stacks[event.track_uuid].pop()
        slices.append({'track': track['name'], 'name': name, 'at': began, 'dur': at - began, **held})
    elif event.type == TYPE.TYPE_COUNTER:
        assert track['counter'], 'a number on a track that is no counter'
        counters.setdefault(track['name'], []).append([at, event.counter_value])
    else:
        assert event.type == TYPE.TYPE_INSTANT
        for flow in event.flow_ids: begun[flow] = {'at': at, 'name': names[event.name_iid], **args}
        for flow in event.terminating_flow_ids: ended[flow] = {'at': at, 'name': names[event.name_iid], **args}
assert not any(stacks.values()), 'a slice without an end'
assert set(begun) == set(ended), 'half a flow'
print(json.dumps({'tracks': [t['name'] for t in tracks.values()], 'slices': slices, 'counters': counters,
    'flows': sorted(([begun[flow], ended[flow]] for flow in begun), key=lambda flow: flow[0]['seq'])}))
`;

interface Seen {
  readonly tracks: readonly string[];
  readonly slices: readonly { track: string; name: string; at: number; dur: number; seq: number; walk?: number; ipa: number }[];
  readonly counters: Readonly<Record<string, readonly (readonly [at: number, value: number])[]>>;
  readonly flows: readonly (readonly [Mark, Mark])[];
}

interface Mark {
  readonly at: number;
  readonly name: string;
  readonly seq: number;
  readonly table: number;
}

/** What the log of one machine holds of what a trace shows, from its events alone. */
function expectedOf(frames: readonly Frame[]): Pick<Seen, 'flows' | 'counters'> & { walks: readonly (readonly number[])[] } {
  const open = new Map<number, { seq: number; at: number; ipa: number }>();
  const retired = new Map<number, Mark>();
  const walks: number[][] = [];
  const flows: (readonly [Mark, Mark])[] = [];
  const live: (readonly [number, number])[] = [];
  let tables = 0;
  for (const { rows, firstSeq } of frames)
    for (let i = 0; i < rows.length; i += 1) {
      const [kind, table, walk, at, seq] = [rows.kind[i]!, rows.table[i]!, rows.walk[i]!, wide(rows.at, i), firstSeq + i];
      if (kind === K.walkBegan) open.set(walk, { seq, at, ipa: wide(rows.ipa, i) });
      if (kind === K.walkEnded) {
        const { seq: began, at: from, ipa } = open.get(walk)!;
        walks.push([began, walk, from, at - from, ipa]);
      }
      if (kind === K.tableRetired) retired.set(table, { at, name: 'retired', seq, table });
      if (kind === K.tableFreed && retired.has(table)) {
        flows.push([retired.get(table)!, { at, name: 'freed', seq, table }]);
        retired.delete(table);
      }
      if (kind === K.tableAllocated || kind === K.tableReused || kind === K.tableFreed)
        live.push([at, (tables += kind === K.tableFreed ? -1 : 1)]);
    }
  return { walks: sorted(walks), flows: flows.toSorted(([a], [b]) => a.seq - b.seq), counters: { 'live tables': live } };
}

function sorted(walks: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return walks.toSorted(([a], [b]) => a! - b!);
}

test('Perfetto’s own definition of its format reads an export: every walk, every flow from retire to free, every number', async (t) => {
  const python = requireCapability(t, 'perfetto');
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 's2lab-perfetto-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  assert.equal((await s2lab(['record', 'smoke', '--seed', '4', '-o', 'run.arrow'], folder)).status, 0);
  const exported = await s2lab(['export', 'run.arrow', '--format', 'perfetto', '-o', 'run.pftrace'], folder);
  assert.equal(exported.status, 0, exported.stderr);
  const source = await FileSource.open(join(folder, 'run.arrow'));
  const frames: Frame[] = [];
  for await (const frame of source.frames()) if (!isDamage(frame)) frames.push({ ...frame, rows: copyRows(frame.rows) });
  await source.close();

  const child = spawnSync(python, ['-c', READ_WITH_PERFETTO, join(folder, 'run.pftrace')], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(child.status, 0, child.stderr);
  const seen = JSON.parse(child.stdout) as Seen;
  const expected = expectedOf(frames);
  assert.ok(expected.walks.length > 100 && expected.flows.length > 0);
  const walks = seen.slices.filter(({ name }) => name.startsWith('walk: '));
  assert.deepEqual(sorted(walks.map(({ seq, walk, at, dur, ipa }) => [seq, walk!, at, dur, ipa])), expected.walks);
  assert.deepEqual(seen.flows, expected.flows);
  assert.deepEqual(seen.counters['live tables'], expected.counters['live tables']);
  for (const name of ['vCPU 0', 'vCPU 1', 'reclaim worker', 'tables of level 3', 'pending frees'])
    assert.ok(seen.tracks.includes(name), name);
});
