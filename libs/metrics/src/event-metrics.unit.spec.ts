import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventInput, Frame } from '@s2lab/events';
import { DSB, EventColumns, FAULT, LINK_CAUSE, LOCK_MODE, OP, PHASE, RESULT, TLBI, UNLINK_CAUSE, encodeEvent } from '@s2lab/events';
import { METRICS } from './definitions.ts';
import type { MetricName } from './definitions.ts';
import { EventMetrics } from './event-metrics.ts';
import { LabMetrics } from './registry.ts';

const GROUP = { policy: 'rcu', machine_kind: 'kvm', workload: 'boot' };

function frame(events: readonly EventInput[], machine = 0, run = 'r1', firstSeq = 0): Frame {
  const rows = new EventColumns(Math.max(1, events.length));
  for (const event of events) encodeEvent(rows, event);
  return { origin: { run, machine, policy: 'rcu', machineKind: 'kvm', workload: 'boot' }, firstSeq, rows };
}

function value(metrics: EventMetrics, name: MetricName, labels: Record<string, string> = {}): number | undefined {
  return metrics.samples(name).find((sample) => Object.entries(labels).every(([label, text]) => sample.labels[label] === text))?.value;
}

test('a collapse whose table waits for a grace period is a pending free until its reclaim ends', () => {
  const metrics = new EventMetrics();
  metrics.observe(
    frame([
      { kind: 'machine-started', vcpus: 2, pageShift: 12 },
      { kind: 'table-allocated', table: 7, level: 3 },
      { kind: 'table-linked', child: 7, cause: LINK_CAUSE.split },
      { kind: 'table-unlinked', at: 100, child: 7, cause: UNLINK_CAUSE.collapse },
      { kind: 'table-retired', at: 100, table: 7, level: 2 },
      { kind: 'guest-accessed', at: 350, tlbHit: 1 },
    ]),
  );
  assert.equal(value(metrics, 's2lab_collapses_total'), 1);
  assert.equal(value(metrics, 's2lab_splits_total'), 1);
  assert.equal(value(metrics, 's2lab_pending_frees'), 1);
  assert.equal(value(metrics, 's2lab_pending_free_oldest_age_seconds'), 250e-9);
  assert.equal(value(metrics, 's2lab_table_memory_bytes'), 4096);
  metrics.observe(
    frame(
      [
        { kind: 'grace-period-ended', at: 400, number: 1 },
        { kind: 'reclaim-began', at: 410, table: 7 },
        { kind: 'table-freed', at: 420, table: 7 },
        { kind: 'reclaim-ended', at: 430, table: 7 },
      ],
      0,
      'r1',
      6,
    ),
  );
  assert.equal(value(metrics, 's2lab_pending_frees'), 0);
  assert.equal(value(metrics, 's2lab_pending_frees_peak'), 1);
  assert.equal(value(metrics, 's2lab_pending_free_oldest_age_seconds'), 0);
  assert.equal(value(metrics, 's2lab_tables_live'), 0);
  assert.equal(value(metrics, 's2lab_reclaims_total'), 1);
  assert.equal(value(metrics, 's2lab_events_total'), 10);
});

test('blocks are counted as returned only after logging ended, and what is mapped is noted when a collapse phase ends', () => {
  const metrics = new EventMetrics();
  const block = { level: 2, old: '0x0', new: '0x7d9' } as const;
  const page = { level: 3, old: '0x0', new: '0x7db' } as const;
  metrics.observe(
    frame([
      { kind: 'machine-started', vcpus: 2, pageShift: 12 },
      { kind: 'descriptor-released', table: 1, slot: 0, ...block },
      { kind: 'dirty-log-started' },
      { kind: 'descriptor-released', table: 1, slot: 1, ...block },
      { kind: 'dirty-log-stopped' },
      { kind: 'phase-began', phase: PHASE.collapse },
      { kind: 'descriptor-released', table: 1, slot: 2, ...block },
      { kind: 'descriptor-released', table: 2, slot: 3, ...page },
      { kind: 'descriptor-swapped', table: 1, slot: 2, level: 2, old: '0x7d9', new: '0x759' },
      { kind: 'memslot-deleted' },
      { kind: 'descriptor-stored', table: 1, slot: 2, level: 2, old: '0x7d9', new: '0x0' },
      { kind: 'phase-began', phase: PHASE.teardown },
    ]),
  );
  const [tally] = metrics.machines();
  assert.equal(value(metrics, 's2lab_blocks_returned_total'), 1);
  assert.deepEqual(tally!.settled, { pageBytes: 4096, blockBytes: 3 * 2 ** 21 });
});

test('faults, invalidations, barriers, accesses and walks are counted by their kind', () => {
  const metrics = new EventMetrics();
  metrics.observe(
    frame([
      { kind: 'fault-taken', fault: FAULT.permission, level: 2 },
      { kind: 'phase-began', phase: PHASE.collapse },
      { kind: 'walk-began', walk: 3, op: OP.relax },
      { kind: 'descriptor-read', walk: 3, value: '0x1000000000000000' },
      { kind: 'descriptor-swap-failed', walk: 3 },
      { kind: 'walk-ended', walk: 3, result: RESULT.eagain >>> 0, retries: 2 },
      { kind: 'fault-handled', result: RESULT.ok },
      { kind: 'tlbi-issued', op: TLBI.ipas2e1is },
      { kind: 'dsb-completed', domain: DSB.ish },
      { kind: 'guest-accessed', tlbHit: 1 },
      { kind: 'guest-accessed', tlbHit: 0 },
    ]),
  );
  assert.equal(
    metrics.samples('s2lab_faults_total').find(({ labels }) => labels['fault'] === 'permission' && labels['level'] === 2)?.value,
    1,
  );
  assert.equal(value(metrics, 's2lab_faults_total', { fault: 'translation' }), 0);
  assert.equal(value(metrics, 's2lab_phases_began_total', { phase: 'collapse' }), 1);
  assert.equal(value(metrics, 's2lab_walks_total', { op: 'relax', result: 'eagain' }), 1);
  assert.equal(value(metrics, 's2lab_walk_retries_total'), 2);
  assert.equal(value(metrics, 's2lab_locked_descriptors_met_total'), 1);
  assert.equal(value(metrics, 's2lab_swaps_failed_total'), 1);
  assert.equal(value(metrics, 's2lab_fault_results_total', { result: 'ok' }), 1);
  assert.equal(value(metrics, 's2lab_tlb_invalidations_total', { op: 'ipas2e1is' }), 1);
  assert.equal(value(metrics, 's2lab_barriers_total', { domain: 'ish' }), 1);
  assert.equal(value(metrics, 's2lab_guest_accesses_total', { tlb: 'hit' }), 1);
  assert.equal(value(metrics, 's2lab_guest_accesses_total', { tlb: 'miss' }), 1);
});

test('mapped memory follows the descriptors written, and an unlinked table maps nothing', () => {
  const metrics = new EventMetrics();
  const mapped = (): unknown[] => ['page', 'block'].map((size) => value(metrics, 's2lab_mapped_memory_bytes', { size }));
  const page = { kind: 'descriptor-released', level: 3, table: 5_000, new: '0x80000703' } as const;
  metrics.observe(
    frame([
      { kind: 'machine-started', vcpus: 2, pageShift: 12 },
      { ...page, slot: 0 },
      { ...page, slot: 1 },
      { ...page, slot: 2 },
      { kind: 'descriptor-swapped', level: 3, table: 5_000, slot: 2, old: '0x80000703', new: '0x1000000000000000' },
      { kind: 'descriptor-released', level: 2, table: 3, slot: 7, new: '0x81000003' },
      { kind: 'descriptor-stored', level: 2, table: 3, slot: 8, new: '0x82000701' },
    ]),
  );
  assert.deepEqual(mapped(), [2 * 4096, 2 ** 21], 'two pages, one block; a locked slot and a table map nothing');
  metrics.observe(
    frame(
      [
        { kind: 'table-unlinked', child: 5_000, cause: UNLINK_CAUSE.collapse },
        { kind: 'descriptor-released', level: 2, table: 3, slot: 7, new: '0x81000701' },
        { kind: 'table-freed', table: 5_000 },
      ],
      0,
      'r1',
      7,
    ),
  );
  assert.deepEqual(mapped(), [0, 2 ** 22]);
});

test('the wait for a lock is measured per actor, from its contention to its acquisition', () => {
  const metrics = new EventMetrics();
  metrics.observe(
    frame([
      { kind: 'lock-contended', actor: 1, at: 1_000, mode: LOCK_MODE.read },
      { kind: 'lock-acquired', actor: 0, at: 1_500, mode: LOCK_MODE.write },
      { kind: 'lock-acquired', actor: 1, at: 3_000, mode: LOCK_MODE.read },
      { kind: 'lock-acquired', actor: 1, at: 9_000, mode: LOCK_MODE.read },
    ]),
  );
  const samples = metrics.samples('s2lab_lock_wait_seconds').filter((sample) => sample.labels['mode'] === 'read');
  assert.equal(samples.find((sample) => sample.metricName === 's2lab_lock_wait_seconds_count')?.value, 1);
  assert.equal(samples.find((sample) => sample.metricName === 's2lab_lock_wait_seconds_sum')?.value, 2e-6);
  assert.equal(samples.find((sample) => sample.labels['le'] === 1e-6)?.value, 0);
  assert.equal(samples.find((sample) => sample.labels['le'] === 3e-6)?.value, 1);
});

test('a thousand stopped runs leave one group and bounded memory, and no count is lost', () => {
  const metrics = new EventMetrics();
  for (let run = 0; run < 1_000; run += 1) metrics.observe(frame([{ kind: 'guest-accessed' }, { kind: 'machine-stopped' }], 0, `r${run}`));
  assert.equal(metrics.samples('s2lab_events_total').length, 1);
  assert.equal(value(metrics, 's2lab_events_total', GROUP), 2_000);
  assert.equal(value(metrics, 's2lab_machines_running', GROUP), 0);
  assert.ok([...metrics.machines()].length < 300);
});

test('a hundred machines expose as many series as one of each policy, and a scrape of them stays below 200 kB', async () => {
  const scrape = async (machines: number): Promise<string> => {
    const events = new EventMetrics();
    for (let machine = 0; machine < machines; machine += 1) {
      const { origin, ...rest } = frame(
        Array.from({ length: 10 }, (): EventInput => ({ kind: 'guest-accessed' })),
        machine,
      );
      events.observe({ ...rest, origin: { ...origin, policy: machine % 2 === 0 ? 'rcu' : 'rwlock' } });
    }
    return new LabMetrics(events, ['verifier', 'pipeline']).registry.metrics();
  };
  const series = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('s2lab_'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
  const [few, many] = [await scrape(2), await scrape(100)];
  assert.deepEqual(series(many), series(few));
  assert.ok(many.length < 200_000, `${many.length} bytes`);
});

test('a registry exposes every metric of the table, in the text format, with no run in it', async () => {
  const events = new EventMetrics();
  events.observe(
    frame(
      [
        { kind: 'lock-contended', mode: 1 },
        { kind: 'lock-acquired', mode: 1, at: 10 },
      ],
      0,
      'run-77',
    ),
  );
  const metrics = new LabMetrics(events, ['verifier', 'pipeline']);
  metrics.counter('s2lab_violations_total').inc({ invariant: 'I1', policy: 'rcu' });
  metrics.gauge('s2lab_pipeline_broker_reachable').set(1);
  const text = await metrics.registry.metrics();
  for (const name of Object.keys(METRICS)) assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'));
  assert.match(text, /^s2lab_events_total\{policy="rcu",machine_kind="kvm",workload="boot"\} 2$/m);
  assert.match(text, /^s2lab_lock_wait_seconds_bucket\{le="\+Inf",policy="rcu",machine_kind="kvm",workload="boot",mode="read"\} 1$/m);
  assert.doesNotMatch(text, /run-77/);
  assert.equal(
    await metrics.registry.metrics().then((again) => /^s2lab_events_total\{.*\} 2$/m.test(again)),
    true,
    'a second scrape does not add up',
  );
});
