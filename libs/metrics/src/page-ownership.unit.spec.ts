import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { EventInput } from '@s2lab/events';
import { COMPONENT, EventColumns, K, PAGE_STATE, encodeEvent, wide, UNLINK_CAUSE } from '@s2lab/events';
import { importGolden } from '@s2lab/recordings';
import { EventMetrics } from './event-metrics.ts';

const RECORDINGS = new URL('../../../testdata/golden/pkvm/', import.meta.url);
const MIB = 2 ** 20;

function folded(events: readonly EventInput[]): EventMetrics {
  const rows = new EventColumns(events.length);
  for (const event of events) encodeEvent(rows, event);
  const metrics = new EventMetrics();
  metrics.observe({ origin: { run: 'r', machine: 0, policy: 'hyp-lock', machineKind: 'pkvm', workload: 'w' }, firstSeq: 0, rows });
  return metrics;
}

function memory(metrics: EventMetrics): Record<string, number> {
  const held = metrics.samples('s2lab_pkvm_memory_bytes').filter(({ value }) => value !== 0);
  return Object.fromEntries(held.map(({ labels, value }) => [`${labels['component']} ${labels['state']}`, value]));
}

function counted(metrics: EventMetrics, name: Parameters<EventMetrics['samples']>[0]): Record<string, number> {
  const seen = metrics.samples(name).filter(({ value }) => value > 0);
  return Object.fromEntries(seen.map(({ labels, value }) => [`${labels['from'] ?? ''}${labels['to'] ?? labels['guest'] ?? ''}`, value]));
}

const START: EventInput[] = [
  { kind: 'machine-started', vcpus: 1, pageShift: 12 },
  { kind: 'memory-region-added', pa: 0, bytes: MIB, nomap: 0 },
];

test('a guest’s page is the host’s before and after', () => {
  const life: EventInput[] = [
    ...START,
    { kind: 'guest-created', protected: 1, features: 0, ipaBits: 40 },
    { kind: 'page-state-changed', component: COMPONENT.host, pa: 4096, bytes: 8192, from: PAGE_STATE.owned, to: PAGE_STATE.none },
    { kind: 'page-donated', pa: 4096, bytes: 8192, ipa: 0, from: COMPONENT.host, to: COMPONENT.guest },
  ];
  assert.deepEqual(memory(folded(life)), { 'host owned': MIB - 8192, 'guest owned': 8192 });
  const shares: EventInput[] = [...life, { kind: 'page-shared', pa: 4096, bytes: 4096, ipa: 0, from: COMPONENT.guest, to: COMPONENT.host }];
  assert.deepEqual(memory(folded(shares)), { 'host owned': MIB - 8192, 'guest owned': 4096, 'guest sharedOwned': 4096 });
  const ended: EventInput[] = [
    ...shares,
    { kind: 'guest-destroyed' },
    { kind: 'page-reclaimed', pa: 4096, bytes: 4096, ipa: 0, forced: 0 },
    { kind: 'page-state-changed', component: COMPONENT.host, pa: 4096, bytes: 8192, from: PAGE_STATE.none, to: PAGE_STATE.owned },
  ];
  const metrics = folded(ended);
  assert.deepEqual(memory(metrics), { 'host owned': MIB });
  assert.deepEqual(counted(metrics, 's2lab_pkvm_donations_total'), { hostguest: 1 });
  assert.deepEqual(counted(metrics, 's2lab_pkvm_shares_total'), { guesthost: 1 });
  assert.deepEqual(counted(metrics, 's2lab_pkvm_reclaims_total'), { ended: 1 });
  assert.equal(metrics.samples('s2lab_pkvm_guests')[0]?.value, 0);
});

test('a table in place of a block is a broken block of the host only in its own stage-2; replaced by a block or dropped for one, it is coalesced', () => {
  const metrics = folded([
    ...START,
    { kind: 'table-linked', stage2: 0, child: 1, cause: 2 },
    { kind: 'table-linked', stage2: 1, child: 2, cause: 2 },
    { kind: 'table-unlinked', stage2: 0, child: 1, cause: UNLINK_CAUSE.collapse },
    { kind: 'table-linked', stage2: 0, child: 3, cause: 2 },
    { kind: 'table-unlinked', stage2: 0, child: 3, cause: UNLINK_CAUSE.idle },
    { kind: 'table-unlinked', stage2: 0, child: 4, cause: UNLINK_CAUSE.empty },
    { kind: 'host-aborted', ipa: 4096, access: 1 },
  ]);
  const totals = (
    [
      's2lab_splits_total',
      's2lab_pkvm_host_blocks_broken_total',
      's2lab_pkvm_host_blocks_coalesced_total',
      's2lab_pkvm_host_aborts_total',
    ] as const
  ).map((name) => metrics.samples(name)[0]?.value);
  assert.deepEqual(totals, [3, 2, 2, 1]);
});

test('in recordings of the hypervisor every byte has one owner, at the end of every frame', () => {
  let guestsMost = 0;
  for (const file of readdirSync(RECORDINGS).slice(0, 8)) {
    const lines = gunzipSync(readFileSync(new URL(file, RECORDINGS)))
      .toString()
      .split('\n');
    const metrics = new EventMetrics();
    let all = 0;
    for (const { origin, firstSeq, rows } of importGolden(lines)) {
      // The last event ends the machine, and with it what everybody has.
      const ends = rows.kind[rows.length - 1] === K.machineStopped;
      const shown = ends ? Object.assign(Object.create(rows) as typeof rows, { length: rows.length - 1 }) : rows;
      for (let i = 0; i < rows.length; i += 1) if (rows.kind[i] === K.memoryRegionAdded && rows.aux[i] === 0) all += wide(rows.old, i);
      metrics.observe({ origin, firstSeq, rows: shown });
      const held = metrics.samples('s2lab_pkvm_memory_bytes');
      const owned = held.filter(({ labels }) => labels['state'] !== 'sharedBorrowed').reduce((sum, { value }) => sum + value, 0);
      assert.equal(owned, all, `${file}, event ${firstSeq + rows.length}`);
      assert.ok(held.every(({ value }) => value >= 0));
      guestsMost = Math.max(
        guestsMost,
        metrics.samples('s2lab_pkvm_donations_total').find(({ labels }) => labels['to'] === 'guest')!.value,
      );
    }
  }
  assert.ok(guestsMost > 0, 'guests were given pages');
});
