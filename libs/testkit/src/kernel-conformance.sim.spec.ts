import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { DEFAULT_COSTS, machineConfig } from '@s2lab/engine';
import type { Frame, KindName } from '@s2lab/events';
import { decodeEvent } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { importGolden } from '@s2lab/recordings';
import { parseGoldenScript, RecordedWorkload } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const TESTDATA = new URL('../../../testdata/', import.meta.url);

/** What the recordings of the library hold: everything it does to memory, to counts and to the TLBs. */
const COMPARED: ReadonlySet<KindName> = new Set<KindName>([
  'descriptor-stored',
  'descriptor-released',
  'descriptor-swapped',
  'descriptor-swap-failed',
  'table-allocated',
  'table-freed',
  'table-retired',
  'reclaim-began',
  'reference-got',
  'reference-put',
  'reference-read',
  'tlbi-issued',
  'dsb-completed',
  'isb-completed',
  'dcache-cleaned',
  'icache-invalidated',
  'read-section-entered',
  'read-section-left',
  'cache-exhausted',
]);
/** Fields that a recording does not have, or has by another definition: who, when, and the address inside an entry. */
const IGNORED = new Set(['seq', 'machine', 'at', 'actor', 'walk', 'stage2']);

function* compared(frames: Iterable<Frame>): Generator<string> {
  for (const frame of frames) {
    for (let i = 0; i < frame.rows.length; i += 1) {
      const event = decodeEvent(frame.rows, i, frame.firstSeq + i, 0);
      if (!COMPARED.has(event.kind)) continue;
      const fields = Object.entries(event).filter(
        ([name]) =>
          !IGNORED.has(name) && !(name === 'ipa' && event.kind !== 'tlbi-issued') && !(name === 'level' && event.kind.startsWith('table-')),
      );
      yield fields.map(([name, value]) => `${name}=${value}`).join(' ');
    }
  }
}

function* framesOf(run: FleetRun): Generator<Frame> {
  for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) yield frame;
}

/** Plays a script through the engine: grace periods end only where the script waits for them, page frames are never reused. */
function played(name: string): FleetRun {
  const recording = parseGoldenScript(readFileSync(new URL(`scripts/stock/${name}.txt`, TESTDATA), 'utf8'), name);
  const config = machineConfig({ ...recording.machine, dic: false, reuseFrames: false, costs: { ...DEFAULT_COSTS, gracePeriodNs: 1e12 } });
  const origin = { run: 'conformance', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: name };
  return new FleetRun([{ origin, config, policy: policyByName('rcu'), workload: new RecordedWorkload(recording) }]);
}

const names = readdirSync(new URL('golden/stock/', TESTDATA))
  .map((file) => file.replace(/\.jsonl\.gz$/, ''))
  .filter((name) => !name.startsWith('parallel-') && existsSync(new URL(`scripts/stock/${name}.txt`, TESTDATA)));

test('recordings of more than one granule are compared', () => {
  assert.deepEqual([...new Set(names.map((name) => name.slice(-4)))].toSorted(), ['ps12', 'ps14', 'ps16']);
});

for (const name of names) {
  test(`the engine does what the kernel's page-table library was recorded to do: ${name}`, () => {
    const lines = gunzipSync(readFileSync(new URL(`golden/stock/${name}.jsonl.gz`, TESTDATA)))
      .toString()
      .split('\n');
    const expected = [...compared(importGolden(lines))];
    const got = [...compared(framesOf(played(name)))];
    const first = expected.findIndex((line, i) => line !== got[i]);
    const around = (all: string[]) => all.slice(Math.max(0, first - 3), first + 3).join('\n    ');
    assert.equal(
      first,
      -1,
      `first difference at compared event ${first}\n  recorded\n    ${around(expected)}\n  played\n    ${around(got)}`,
    );
    assert.equal(got.length, expected.length);
  });
}
