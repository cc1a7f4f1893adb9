import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { EventInput } from '@s2lab/events';
import { COMPONENT, encodeEvent, EventColumns, LINK_CAUSE, PAGE_STATE, UNLINK_CAUSE } from '@s2lab/events';
import { EventMetrics } from './event-metrics.ts';
import type { MetricName } from './definitions.ts';

const { host, hyp, guest } = COMPONENT;
const PAGE = 4096;

function metricsOf(events: readonly EventInput[]): (name: MetricName) => Record<string, number> {
  const rows = new EventColumns(64);
  for (const event of events) encodeEvent(rows, event);
  const metrics = new EventMetrics();
  metrics.observe({ origin: { run: 'r', machine: 0, policy: 'hyp-lock', machineKind: 'pkvm', workload: 'w' }, firstSeq: 0, rows });
  return (name) =>
    Object.fromEntries(
      metrics.samples(name).map(({ labels, value }) => {
        const { policy: _p, machine_kind: _k, workload: _w, ...own } = labels;
        return [Object.values(own).join(' '), value];
      }),
    );
}

test('pages are counted by who has them and in which state, and by what becomes of them', () => {
  const pages = (n: number) => ({ pa: 0x4000_0000, bytes: n * PAGE });
  const link = { child: 3, parent: 1, slot: 0, level: 2, ipa: 0, stage2: 0 };
  const value = metricsOf([
    { kind: 'machine-started', vcpus: 1, pageShift: 12 },
    { kind: 'memory-region-added', ...pages(100), nomap: 0 },
    { kind: 'guest-created', protected: 1, features: 0, ipaBits: 40, stage2: 1 },
    { kind: 'page-donated', ...pages(3), ipa: 0, from: host, to: guest, stage2: 1 },
    { kind: 'page-state-changed', ...pages(3), component: host, from: PAGE_STATE.owned, to: PAGE_STATE.none },
    { kind: 'table-linked', ...link, cause: LINK_CAUSE.split },
    { kind: 'table-linked', ...link, stage2: 1, cause: LINK_CAUSE.split },
    { kind: 'page-shared', ...pages(1), ipa: 0, from: guest, to: host, stage2: 1 },
    { kind: 'page-unshared', ...pages(1), ipa: 0, from: guest, to: host, stage2: 1 },
    { kind: 'host-aborted', ipa: 0x4000_0000, access: 1 },
    { kind: 'page-reclaimed', ...pages(2), ipa: 0, forced: 0, stage2: 1 },
    { kind: 'page-state-changed', ...pages(2), component: host, from: PAGE_STATE.none, to: PAGE_STATE.owned },
    { kind: 'table-unlinked', ...link, cause: UNLINK_CAUSE.collapse },
    { kind: 'page-state-changed', ...pages(5), component: hyp, from: PAGE_STATE.none, to: PAGE_STATE.owned },
  ]);
  const states = value('s2lab_pages');
  assert.deepEqual([states['host owned'], states['host none'], states['hyp owned'], states['hyp none']], [99, 1, 5, 95]);
  assert.deepEqual(value('s2lab_pages_donated_total'), { 'host guest': 3 });
  assert.deepEqual(value('s2lab_pages_shared_total'), { 'guest host': 1 });
  assert.deepEqual(value('s2lab_pages_unshared_total'), { 'guest host': 1 });
  assert.deepEqual(value('s2lab_pages_reclaimed_total'), { 'guest host': 2 });
  assert.deepEqual(value('s2lab_host_blocks_broken_total'), { '': 1 }, 'that of the host, not that of the guest');
  assert.deepEqual(value('s2lab_host_blocks_coalesced_total'), { '': 1 });
  assert.deepEqual([value('s2lab_host_aborts_total'), value('s2lab_guests')], [{ '': 1 }, { '': 1 }]);
});
