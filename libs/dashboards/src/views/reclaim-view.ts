import { machineMarks } from './machine-marks.ts';
import type { Panel, View } from '../panel.ts';
import { curves, heatMap, number } from '../panel.ts';
import { machines, orZero, ratio } from '../query.ts';

/** The first dashboard: which design collapses how fast, what it leaves pending, and whether the verifier is content. */
export function reclaimView(): View {
  return {
    name: 'reclaim',
    title: 'Reclaim',
    description: 'Collapses of stage-2 tables into blocks, the frees they leave pending, and what they cost, per reclaim policy.',
    about: 'machines',
    marks: machineMarks(),
    headline: headline(),
    rows: [
      { title: 'Collapse and reclaim', panels: reclaim() },
      { title: 'Walkers', panels: walkers() },
      { title: 'Memory', panels: memory() },
    ],
  };
}

function headline(): Panel[] {
  return [
    number({
      id: 1,
      title: 'Violations',
      unit: 'short',
      width: 4,
      bad: { red: 1 },
      description: 'Violations of invariants that the verifiers found since they started. Anything but 0 refutes a design.',
      queries: [{ query: orZero(machines.total('s2lab_violations_total')), legend: 'violations' }],
    }),
    number({
      id: 2,
      title: 'Pending frees',
      unit: 'short',
      width: 4,
      description: 'Unlinked sub-trees whose teardown is not complete, now.',
      queries: [{ query: machines.total('s2lab_pending_frees'), legend: 'pending' }],
    }),
    number({
      id: 3,
      title: 'Oldest pending free',
      unit: 's',
      width: 4,
      decimals: 3,
      bad: { yellow: 0.02, red: 0.1 },
      description: 'Virtual time since the oldest pending free was retired. A design that only ever grows here is falling behind.',
      queries: [{ query: machines.largest('s2lab_pending_free_oldest_age_seconds'), legend: 'age' }],
    }),
    number({
      id: 4,
      title: 'Collapses',
      unit: 'cps',
      width: 4,
      description: 'Tables replaced by one block, per second of wall time.',
      queries: [{ query: machines.perSecond('s2lab_collapses_total'), legend: 'collapses' }],
    }),
    number({
      id: 5,
      title: 'Mapped by pages',
      unit: 'percentunit',
      width: 4,
      description: 'Share of the mapped memory that pages map and not blocks: what collapse has still to do.',
      queries: [{ query: machines.share('s2lab_mapped_memory_bytes', 'size', 'page'), legend: 'share' }],
    }),
    number({
      id: 6,
      title: 'Machines running',
      unit: 'short',
      width: 4,
      description: 'Machines that started and did not stop.',
      queries: [{ query: machines.total('s2lab_machines_running'), legend: 'machines' }],
    }),
  ];
}

function reclaim(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Collapse rate by policy',
      unit: 'short',
      width: 12,
      description:
        'Collapses per machine and virtual second, so that neither the speed of the run nor the number of machines changes the figure.',
      queries: [
        {
          query: machines.perMachineSecond('s2lab_collapses_total', ['policy', 'machine_kind']),
          legend: '{{policy}} on {{machine_kind}}',
        },
      ],
    }),
    curves({
      id: 102,
      title: 'Pending frees by policy',
      unit: 'short',
      width: 12,
      description: 'Unlinked sub-trees handed to the reclaim policy whose teardown is not complete. Policies that free at once stay at 0.',
      queries: [
        { query: machines.total('s2lab_pending_frees', ['policy']), legend: '{{policy}}' },
        { query: machines.largest('s2lab_pending_frees_peak', ['policy']), legend: '{{policy}}, peak of one machine' },
      ],
    }),
    curves({
      id: 103,
      title: 'Age of the oldest pending free',
      unit: 's',
      width: 8,
      bad: { yellow: 0.02, red: 0.1 },
      description:
        'Virtual time since the oldest pending free was retired: how long a grace period, or a stalled reader, holds memory back. ' +
        'Above the red line the alert OldestPendingFreeTooOld is raised.',
      queries: [{ query: machines.largest('s2lab_pending_free_oldest_age_seconds', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 104,
      title: 'Retired and reclaimed',
      unit: 'short',
      width: 8,
      description:
        'Teardowns completed and collapses per machine and virtual second. Where the second stays above the first, frees pile up.',
      queries: [
        { query: machines.perMachineSecond('s2lab_reclaims_total', ['policy']), legend: '{{policy}}, reclaimed' },
        { query: machines.perMachineSecond('s2lab_collapses_total', ['policy']), legend: '{{policy}}, collapsed' },
      ],
    }),
    curves({
      id: 105,
      title: 'Grace periods',
      unit: 'short',
      width: 8,
      description: 'Grace periods that ended, per machine and virtual second. Policies without read-side sections have none and stay at 0.',
      queries: [{ query: machines.perMachineSecond('s2lab_grace_periods_total', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function walkers(): Panel[] {
  return [
    heatMap({
      id: 201,
      title: 'Time blocked on the MMU lock',
      unit: 's',
      width: 12,
      description:
        'How often a walker waited how long (virtual time) for the MMU lock; only acquisitions that had to wait. A bright band at the top ' +
        'is a collapse that keeps faults waiting.',
      queries: [{ query: machines.buckets('s2lab_lock_wait_seconds'), legend: '{{le}}' }],
    }),
    curves({
      id: 206,
      title: 'Waits for the MMU lock by mode',
      unit: 'short',
      width: 6,
      description:
        'Acquisitions of the MMU lock that had to wait, per machine and virtual second. Readers wait for a collapse, a collapse for all readers.',
      queries: [{ query: machines.perMachineSecond('s2lab_lock_contended_total', [], ['mode']), legend: '{{mode}}' }],
    }),
    curves({
      id: 202,
      title: 'Share of time blocked',
      unit: 'percentunit',
      width: 6,
      description: 'Virtual time that walkers were blocked per virtual second of a machine. With several vCPUs it can exceed 1.',
      queries: [
        {
          query: ratio(
            machines.observedPerSecond('s2lab_lock_wait_seconds', ['policy']),
            machines.perSecond('s2lab_virtual_time_seconds_total', ['policy']),
          ),
          legend: '{{policy}}',
        },
      ],
    }),
    curves({
      id: 203,
      title: 'Walk restarts',
      unit: 'short',
      width: 8,
      description: 'Restarts of software walks that lost a race, per machine and virtual second: the price of walking in parallel.',
      queries: [{ query: machines.perMachineSecond('s2lab_walk_retries_total', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 204,
      title: 'Lost compare-and-exchanges',
      unit: 'short',
      width: 8,
      description: 'Compare-and-exchanges of descriptors that failed because another walker was first, per machine and virtual second.',
      queries: [{ query: machines.perMachineSecond('s2lab_swaps_failed_total', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 205,
      title: 'Locked descriptors met',
      unit: 'short',
      width: 8,
      description:
        'Loads that found a descriptor locked by another walker, per machine and virtual second: each is one turn of a spin or a way back to the guest.',
      queries: [{ query: machines.perMachineSecond('s2lab_locked_descriptors_met_total', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function memory(): Panel[] {
  return [
    curves({
      id: 301,
      title: 'Share mapped by pages',
      unit: 'percentunit',
      width: 8,
      max: 1,
      description:
        'Mapped memory that pages map and not blocks. Dirty logging drives it up; what collapse leaves behind is the residual share. ' +
        'No curve while a policy’s machines map nothing.',
      queries: [{ query: machines.share('s2lab_mapped_memory_bytes', 'size', 'page', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 302,
      title: 'Table memory',
      unit: 'bytes',
      width: 8,
      stacked: true,
      description: 'Memory of the table pages allocated and not freed, the pending ones included.',
      queries: [{ query: machines.total('s2lab_table_memory_bytes', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 303,
      title: 'Events committed and verified',
      unit: 'cps',
      width: 8,
      description: 'Events committed by the machines and events verified, per second of wall time. The two should lie on each other.',
      queries: [
        { query: machines.perSecond('s2lab_events_total'), legend: 'committed' },
        { query: machines.perSecond('s2lab_verifier_events_total'), legend: 'verified' },
      ],
    }),
  ];
}
