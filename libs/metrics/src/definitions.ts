/** What a metric is to Prometheus. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Definition of one metric: everything that Prometheus, the dashboards and the documentation need to know of it. */
export interface MetricSpec {
  readonly type: MetricType;
  /** One sentence; the HELP line. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Who exposes it. */
  readonly from: 'events' | 'verifier' | 'pipeline';
  /** Upper bounds of a histogram's buckets, in its base unit. */
  readonly buckets?: readonly number[];
}

/** The labels that group machines. Bounded: a policy, a machine kind and a scenario have registered names; never a run, machine or address. */
export const GROUP_LABELS = ['policy', 'machine_kind', 'workload'] as const;

/** Buckets of the time a walker waits for the lock: 100 ns to 0.1 s of virtual time. */
export const LOCK_WAIT_BUCKETS = [1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2, 1e-1] as const;

const group = GROUP_LABELS;

/**
 * All metrics of the lab, by name: the one place where a metric is defined. Registries, docs/METRICS.md and dashboards derive from it.
 * Conventions: prefix `s2lab_`, base units, `_total` for counters. Metrics `from: 'events'` are a fold of the event log, so the
 * fleet, the embedded lab and a verifier that reads the same events expose the same values.
 */
export const METRICS = {
  s2lab_events_total: { type: 'counter', from: 'events', labels: group, help: 'Events committed.' },
  s2lab_virtual_time_seconds_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Virtual time that passed, summed over machines.',
  },
  s2lab_machines_running: { type: 'gauge', from: 'events', labels: group, help: 'Machines that started and did not stop.' },
  s2lab_collapses_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Tables replaced by one block (unlinked with cause collapse).',
  },
  s2lab_blocks_returned_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Block descriptors made after dirty logging ended, in place of a table or where nothing was mapped.',
  },
  s2lab_splits_total: { type: 'counter', from: 'events', labels: group, help: 'Blocks replaced by a table (linked with cause split).' },
  s2lab_pending_frees: {
    type: 'gauge',
    from: 'events',
    labels: group,
    help: 'Unlinked sub-trees handed to the reclaim policy whose teardown is not complete.',
  },
  s2lab_pending_frees_peak: {
    type: 'gauge',
    from: 'events',
    labels: group,
    help: 'Largest number of pending frees that one machine ever had.',
  },
  s2lab_pending_free_oldest_age_seconds: {
    type: 'gauge',
    from: 'events',
    labels: group,
    help: 'Virtual time since the oldest pending free was retired; 0 = none is pending.',
  },
  s2lab_reclaims_total: { type: 'counter', from: 'events', labels: group, help: 'Unlinked sub-trees whose teardown is complete.' },
  s2lab_grace_periods_total: { type: 'counter', from: 'events', labels: group, help: 'Grace periods that ended.' },
  s2lab_tables_live: { type: 'gauge', from: 'events', labels: group, help: 'Table pages allocated and not freed.' },
  s2lab_table_memory_bytes: { type: 'gauge', from: 'events', labels: group, help: 'Memory of the table pages allocated and not freed.' },
  s2lab_tables_freed_total: { type: 'counter', from: 'events', labels: group, help: 'Table pages given back to the page allocator.' },
  s2lab_mapped_memory_bytes: {
    type: 'gauge',
    from: 'events',
    labels: [...group, 'size'],
    help: 'Guest memory that valid leaf descriptors map, by size: page or block. A table that is unlinked maps nothing.',
  },
  s2lab_faults_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'fault', 'level'],
    help: 'Stage-2 faults taken, by kind and level of the descriptor.',
  },
  s2lab_fault_results_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'result'],
    help: 'Stage-2 faults handled, by result of the handler.',
  },
  s2lab_walks_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'op', 'result'],
    help: 'Software walks that ended, by operation and result.',
  },
  s2lab_walk_retries_total: { type: 'counter', from: 'events', labels: group, help: 'Restarts of software walks that lost a race.' },
  s2lab_locked_descriptors_met_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Loads by software walkers that found a descriptor locked by another.',
  },
  s2lab_swaps_failed_total: { type: 'counter', from: 'events', labels: group, help: 'Compare-and-exchanges of descriptors that failed.' },
  s2lab_tlb_invalidations_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'op'],
    help: 'TLBI instructions issued, by Arm’s name of the operation.',
  },
  s2lab_barriers_total: { type: 'counter', from: 'events', labels: [...group, 'domain'], help: 'DSBs completed, by domain.' },
  s2lab_guest_accesses_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'tlb'],
    help: 'Guest accesses that went through, by TLB hit or miss.',
  },
  s2lab_guest_aborts_total: { type: 'counter', from: 'events', labels: group, help: 'Guest accesses to addresses without memory.' },
  s2lab_pages_dirtied_total: { type: 'counter', from: 'events', labels: group, help: 'Dirty bits set by the fault handler.' },
  s2lab_lock_contended_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'mode'],
    help: 'Acquisitions of the MMU lock that had to wait, by mode.',
  },
  s2lab_lock_wait_seconds: {
    type: 'histogram',
    from: 'events',
    labels: [...group, 'mode'],
    buckets: LOCK_WAIT_BUCKETS,
    help: 'Virtual time that a walker was blocked on the MMU lock, by mode; only acquisitions that had to wait.',
  },
  s2lab_cache_exhausted_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Walks that found their cache of table pages empty.',
  },
  s2lab_cache_top_ups_total: { type: 'counter', from: 'events', labels: group, help: 'Refills of a cache of table pages.' },
  s2lab_faults_injected_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'injected'],
    help: 'Faults injected by the scenario, by kind.',
  },
  s2lab_phases_began_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'phase'],
    help: 'Phases of the scenario that machines began, by phase.',
  },
  s2lab_pkvm_memory_bytes: {
    type: 'gauge',
    from: 'events',
    labels: [...group, 'component', 'state'],
    help: 'Memory of pKVM machines, by who has it (host, hyp, guest) and in which state: owned, shared by its owner, borrowed.',
  },
  s2lab_pkvm_donations_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'from', 'to'],
    help: 'Ranges of pages that changed hands, by the component that had them and the one that has them now.',
  },
  s2lab_pkvm_shares_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'from', 'to'],
    help: 'Ranges of pages that their owner lent to another component.',
  },
  s2lab_pkvm_unshares_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'from', 'to'],
    help: 'Ranges of pages whose loan ended.',
  },
  s2lab_pkvm_reclaims_total: {
    type: 'counter',
    from: 'events',
    labels: [...group, 'guest'],
    help: 'Ranges of pages that the host took back, from guests that ended or, by force, from guests that live on.',
  },
  s2lab_pkvm_guests: { type: 'gauge', from: 'events', labels: group, help: 'Guests that the hypervisor knows.' },
  s2lab_pkvm_host_blocks_broken_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Blocks of a host’s stage-2 replaced by a table, because a page inside them changed hands.',
  },
  s2lab_pkvm_host_blocks_coalesced_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Tables of a host’s stage-2 replaced by a block again, or dropped for the next abort to map the block.',
  },
  s2lab_pkvm_host_aborts_total: {
    type: 'counter',
    from: 'events',
    labels: group,
    help: 'Accesses of a host to memory that it does not own: an abort is injected into it.',
  },

  s2lab_verifier_events_total: { type: 'counter', from: 'verifier', labels: [], help: 'Events verified.' },
  s2lab_verifier_frames_total: { type: 'counter', from: 'verifier', labels: [], help: 'Frames verified.' },
  s2lab_violations_total: {
    type: 'counter',
    from: 'verifier',
    labels: ['invariant', 'policy'],
    help: 'Violations found, by invariant and policy.',
  },
  s2lab_verifier_lag_frames: {
    type: 'gauge',
    from: 'verifier',
    labels: [],
    help: 'Frames in the topic that the verifier has not read yet.',
  },
  s2lab_verifier_partitions: { type: 'gauge', from: 'verifier', labels: [], help: 'Partitions of the topic that this verifier has.' },
  s2lab_verifier_checkpoint_age_seconds: {
    type: 'gauge',
    from: 'verifier',
    labels: [],
    help: 'Wall time since the first event was judged that no checkpoint holds yet; 0 = checkpoints hold all.',
  },
  s2lab_verifier_checkpoints_total: { type: 'counter', from: 'verifier', labels: [], help: 'Checkpoints of a partition that were kept.' },
  s2lab_verifier_checkpoint_bytes_total: { type: 'counter', from: 'verifier', labels: [], help: 'Bytes of checkpoints that were kept.' },
  s2lab_verifier_checkpoint_failures_total: {
    type: 'counter',
    from: 'verifier',
    labels: [],
    help: 'Checkpoints that could not be kept or taken up.',
  },
  s2lab_verifier_taken_up_total: {
    type: 'counter',
    from: 'verifier',
    labels: ['from'],
    help: 'Partitions whose judging this process took up, from a checkpoint or from their beginning.',
  },
  s2lab_verifier_restarts: {
    type: 'gauge',
    from: 'verifier',
    labels: [],
    help: 'Times that judging of the partitions of this verifier was taken up from a checkpoint: crashes, restarts and rebalances, by whichever process.',
  },
  s2lab_verifier_gaps_total: {
    type: 'counter',
    from: 'verifier',
    labels: [],
    help: 'Gaps in the sequence numbers of a machine: events that never arrived.',
  },
  s2lab_verifier_duplicate_events_total: {
    type: 'counter',
    from: 'verifier',
    labels: [],
    help: 'Events that arrived again and were dropped.',
  },
  s2lab_verifier_unjudged_machines_total: {
    type: 'counter',
    from: 'verifier',
    labels: [],
    help: 'Machines whose first events were no longer in the topic when the verifier came: their metrics are kept, their rules not judged.',
  },
  s2lab_verifier_dead_letters_total: {
    type: 'counter',
    from: 'verifier',
    labels: ['damage'],
    help: 'Messages that were no readable frame, by kind of damage.',
  },

  s2lab_pipeline_frames_total: { type: 'counter', from: 'pipeline', labels: ['sink'], help: 'Frames that a sink accepted.' },
  s2lab_pipeline_events_total: { type: 'counter', from: 'pipeline', labels: ['sink'], help: 'Events that a sink accepted.' },
  s2lab_pipeline_bytes_total: {
    type: 'counter',
    from: 'pipeline',
    labels: ['sink'],
    help: 'Bytes that a sink wrote, compressed; 0 for sinks that write none.',
  },
  s2lab_pipeline_backpressure_seconds_total: {
    type: 'counter',
    from: 'pipeline',
    labels: ['sink'],
    help: 'Wall time that the simulation waited for a sink.',
  },
  s2lab_pipeline_sink_stalled: {
    type: 'gauge',
    from: 'pipeline',
    labels: ['sink'],
    help: '1 while a write to the sink has taken longer than a second.',
  },
  s2lab_pipeline_broker_reachable: { type: 'gauge', from: 'pipeline', labels: [], help: '1 while the Kafka broker answers.' },
  s2lab_speed_ratio: {
    type: 'gauge',
    from: 'pipeline',
    labels: ['kind'],
    help: 'Virtual seconds per wall second: asked for and reached. Asked for 0 = unlimited.',
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Name of a metric. */
export type MetricName = keyof typeof METRICS;

/** docs/METRICS.md: the table above for people. */
export function metricsMarkdown(): string {
  const lines = [
    '# Metrics',
    '',
    'Generated from `libs/metrics/src/definitions.ts` by `UPDATE_DOCS=1 npx node --test libs/metrics/src/*.spec.ts`; a test compares.',
    '',
    'Metrics of **events** are a fold of the event log: whoever reads the same events exposes the same values. Times in them are',
    'virtual. Divide a rate by the rate of `s2lab_virtual_time_seconds_total` to get a figure per virtual second that does not depend on `--speed`.',
    'Labels are bounded: no run, machine or address ever becomes one.',
  ];
  for (const from of ['events', 'verifier', 'pipeline'] as const) {
    lines.push(
      '',
      `## From ${from === 'events' ? 'the events' : `the ${from}`}`,
      '',
      '| metric | type | labels | meaning |',
      '|---|---|---|---|',
    );
    for (const [name, spec] of Object.entries(METRICS) as [MetricName, MetricSpec][]) {
      if (spec.from === from) lines.push(`| \`${name}\` | ${spec.type} | ${spec.labels.join(', ')} | ${spec.help} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
