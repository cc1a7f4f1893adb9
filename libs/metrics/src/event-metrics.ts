import type { Frame } from '@s2lab/events';
import { COMPONENT, DSB, FAULT, INJECTED, K, LOCK_MODE, OP, PAGE_STATE, PHASE, TLBI, codeName } from '@s2lab/events';
import type { MetricName } from './definitions.ts';
import { LOCK_WAIT_BUCKETS } from './definitions.ts';
import { GroupTotals, machineKey, rowsOf } from './group-totals.ts';
import { AT, LOCK_WAIT_BUCKET_COUNT, MachineTally, RESULT_NAMES } from './machine-tally.ts';
import { LEAF_LEVELS } from './mapped-leaves.ts';
import { PAGE_COUNTS, stateAt, TRANSFERS, transferAt } from './page-tally.ts';

/** One exposed value. */
export interface Sample {
  /** Series of a histogram: its name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

type Project = (group: GroupTotals) => Sample[];

/** Machines that stopped and are still listed one by one; older ones live on in the totals of their group. */
const STOPPED_KEPT = 256;

/**
 * Metrics as a fold of the event log. `observe` costs one pass over a frame; the sums over machines are made when somebody scrapes.
 * What it holds is bounded by the machines that run, not by the runs it has seen.
 */
export class EventMetrics {
  private readonly tallies = new Map<string, MachineTally>();
  private readonly forgotten = new Map<string, GroupTotals>();
  private frames = 0;
  private summedAt = -1;
  private summed: GroupTotals[] = [];
  private last: { readonly run: string; readonly machine: number; readonly tally: MachineTally } | undefined;

  /** Folds one frame. Frames of one machine come in order and without duplicates (SequenceGuard). */
  observe(frame: Frame): void {
    this.frames += 1;
    const { origin } = frame;
    const last = this.last;
    const tally = last !== undefined && last.machine === origin.machine && last.run === origin.run ? last.tally : this.tallyOf(frame);
    this.last = { run: origin.run, machine: origin.machine, tally };
    tally.fold(frame.rows);
    if (!tally.running) this.forgetOldest();
  }

  /** The machines seen, in the order they appeared: those that run and the latest that stopped. */
  machines(): IterableIterator<MachineTally> {
    return this.tallies.values();
  }

  /** Samples of `name`, which is a metric from events. */
  samples(name: MetricName): Sample[] {
    const project = PROJECTIONS[name];
    if (project === undefined) throw new RangeError(`${name} is not a metric of events`);
    return this.groups().flatMap(project);
  }

  private tallyOf(frame: Frame): MachineTally {
    const key = machineKey(frame.origin);
    let tally = this.tallies.get(key);
    if (tally === undefined) {
      tally = new MachineTally(frame.origin);
      this.tallies.set(key, tally);
    }
    return tally;
  }

  private groups(): readonly GroupTotals[] {
    if (this.summedAt === this.frames) return this.summed;
    const groups = new Map<string, GroupTotals>();
    for (const [key, totals] of this.forgotten) groups.set(key, totals.copyCounters());
    for (const tally of this.tallies.values()) {
      const group = groupOf(groups, tally);
      group.addCounters(tally);
      group.addHeld(tally);
    }
    this.summed = [...groups.values()];
    this.summedAt = this.frames;
    return this.summed;
  }

  private forgetOldest(): void {
    let stopped = 0;
    for (const tally of this.tallies.values()) if (!tally.running) stopped += 1;
    for (const [key, tally] of this.tallies) {
      if (stopped <= STOPPED_KEPT) return;
      if (tally.running) continue;
      groupOf(this.forgotten, tally).addCounters(tally);
      this.tallies.delete(key);
      this.last = undefined;
      stopped -= 1;
    }
  }
}

function groupOf(groups: Map<string, GroupTotals>, tally: MachineTally): GroupTotals {
  const { policy, machineKind, workload } = tally.origin;
  const key = `${policy}\n${machineKind}\n${workload}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = new GroupTotals({ policy, machine_kind: machineKind, workload });
    groups.set(key, group);
  }
  return group;
}

/** A projection to one value a group. */
function one(value: (group: GroupTotals) => number): Project {
  return (group) => [{ labels: { ...group.labels }, value: value(group) }];
}

/** A projection to one value for each code of a table. */
function byCode(label: string, table: Readonly<Record<string, number>>, first: number): Project {
  return (group) =>
    Object.entries(table).map(([name, code]) => ({ labels: { ...group.labels, [label]: name }, value: group.counts[first + code]! }));
}

const event = (kind: number): Project => one((group) => group.counts[kind]!);

function faults(group: GroupTotals): Sample[] {
  return Object.entries(FAULT).flatMap(([fault, code]) =>
    Array.from({ length: LEAF_LEVELS }, (_, level) => ({
      labels: { ...group.labels, fault, level },
      value: group.counts[AT.fault + code * LEAF_LEVELS + level]!,
    })),
  );
}

function faultResults(group: GroupTotals): Sample[] {
  return RESULT_NAMES.map((result, i) => ({ labels: { ...group.labels, result }, value: group.counts[AT.faultResult + i]! }));
}

/** Only the pairs that occurred: most of operation × result never does. */
function walks(group: GroupTotals): Sample[] {
  const samples: Sample[] = [];
  for (const [op, code] of Object.entries(OP)) {
    RESULT_NAMES.forEach((result, i) => {
      const value = group.counts[AT.walk + code * RESULT_NAMES.length + i]!;
      if (value > 0) samples.push({ labels: { ...group.labels, op, result }, value });
    });
  }
  return samples;
}

function lockWaits(group: GroupTotals): Sample[] {
  const name = 's2lab_lock_wait_seconds';
  const samples: Sample[] = [];
  for (const code of Object.values(LOCK_MODE)) {
    const labels = { ...group.labels, mode: codeName(LOCK_MODE, code) };
    const first = AT.wait + code * LOCK_WAIT_BUCKET_COUNT;
    let total = 0;
    for (let i = 0; i < LOCK_WAIT_BUCKET_COUNT; i += 1) {
      total += group.counts[first + i]!;
      samples.push({ metricName: `${name}_bucket`, labels: { le: LOCK_WAIT_BUCKETS[i] ?? '+Inf', ...labels }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: group.counts[AT.waitNs + code]! / 1e9 });
    samples.push({ metricName: `${name}_count`, labels, value: total });
  }
  return samples;
}

/** Only the pairs that occurred: most never do. */
function transfers(transfer: (typeof TRANSFERS)[number]): Project {
  const names = Object.entries(COMPONENT);
  return (group) =>
    names.flatMap(([from, giver]) =>
      names.flatMap(([to, taker]) => {
        const value = group.pageCounts[transferAt(TRANSFERS.indexOf(transfer), giver, taker)]!;
        return value > 0 ? [{ labels: { ...group.labels, from, to }, value }] : [];
      }),
    );
}

function pageStates(group: GroupTotals): Sample[] {
  return (['host', 'hyp'] as const).flatMap((owner) =>
    Object.entries(PAGE_STATE).map(([state, code]) => ({
      labels: { ...group.labels, owner, state },
      value: group.pageStates[stateAt(COMPONENT[owner], code)]!,
    })),
  );
}

const PROJECTIONS: Readonly<Partial<Record<MetricName, Project>>> = {
  s2lab_events_total: one(rowsOf),
  s2lab_virtual_time_seconds_total: one((group) => group.virtualNs / 1e9),
  s2lab_machines_running: one((group) => group.running),
  s2lab_collapses_total: one((group) => group.counts[AT.collapses]!),
  s2lab_blocks_returned_total: one((group) => group.counts[AT.blocksBack]!),
  s2lab_splits_total: one((group) => group.counts[AT.splits]!),
  s2lab_pending_frees: one((group) => group.pendingFrees),
  s2lab_pending_frees_peak: one((group) => group.pendingPeak),
  s2lab_pending_free_oldest_age_seconds: one((group) => group.oldestPendingNs / 1e9),
  s2lab_reclaims_total: event(K.reclaimEnded),
  s2lab_grace_periods_total: event(K.gracePeriodEnded),
  s2lab_tables_live: one((group) => group.tables),
  s2lab_table_memory_bytes: one((group) => group.tableBytes),
  s2lab_tables_freed_total: event(K.tableFreed),
  s2lab_mapped_memory_bytes: (group) => [
    { labels: { ...group.labels, size: 'page' }, value: group.pageBytes },
    { labels: { ...group.labels, size: 'block' }, value: group.blockBytes },
  ],
  s2lab_faults_total: faults,
  s2lab_fault_results_total: faultResults,
  s2lab_walks_total: walks,
  s2lab_walk_retries_total: one((group) => group.counts[AT.retries]!),
  s2lab_locked_descriptors_met_total: one((group) => group.counts[AT.lockedMet]!),
  s2lab_swaps_failed_total: event(K.descriptorSwapFailed),
  s2lab_tlb_invalidations_total: byCode('op', TLBI, AT.tlbi),
  s2lab_barriers_total: byCode('domain', DSB, AT.dsb),
  s2lab_guest_accesses_total: (group) => [
    { labels: { ...group.labels, tlb: 'hit' }, value: group.counts[AT.tlbHits]! },
    { labels: { ...group.labels, tlb: 'miss' }, value: group.counts[AT.tlbMisses]! },
  ],
  s2lab_guest_aborts_total: event(K.guestAborted),
  s2lab_pages_dirtied_total: event(K.pageDirtied),
  s2lab_lock_contended_total: byCode('mode', LOCK_MODE, AT.contended),
  s2lab_lock_wait_seconds: lockWaits,
  s2lab_cache_exhausted_total: event(K.cacheExhausted),
  s2lab_cache_top_ups_total: event(K.cacheToppedUp),
  s2lab_faults_injected_total: byCode('injected', INJECTED, AT.injected),
  s2lab_host_blocks_broken_total: one((group) => group.pageCounts[PAGE_COUNTS.blocksBroken]!),
  s2lab_host_blocks_coalesced_total: one((group) => group.pageCounts[PAGE_COUNTS.blocksCoalesced]!),
  s2lab_pages: pageStates,
  s2lab_pages_donated_total: transfers('donated'),
  s2lab_pages_shared_total: transfers('shared'),
  s2lab_pages_unshared_total: transfers('unshared'),
  s2lab_pages_reclaimed_total: transfers('reclaimed'),
  s2lab_host_aborts_total: event(K.hostAborted),
  s2lab_guests: one((group) => group.guests),
  s2lab_phases_began_total: byCode('phase', PHASE, AT.phase),
};
