import { DashboardBuilder, DashboardCursorSync, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, number } from './panels.ts';
import { largest, perMachineSecond, perSecond, total } from './query.ts';
import { machineVariables } from './variables.ts';

/** The first dashboard: which design collapses how fast, what it leaves pending, and whether the verifier is content. */
export function reclaimDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('Reclaim')
    .uid('s2lab-reclaim')
    .description('Collapses of stage-2 tables into blocks, the frees they leave pending, and what they cost, per reclaim policy.')
    .tags(['stage2-lab'])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-15m', to: 'now' })
    .refresh('5s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(machineVariables());
  for (const panel of headline()) dashboard.withPanel(panel);
  dashboard.withRow(new RowBuilder('Collapse and reclaim').id(100));
  for (const panel of reclaim()) dashboard.withPanel(panel);
  dashboard.withRow(new RowBuilder('Faults and invalidations').id(200));
  for (const panel of stage2()) dashboard.withPanel(panel);
  dashboard.withRow(new RowBuilder('Events and verification').id(300));
  for (const panel of pipeline()) dashboard.withPanel(panel);
  return dashboard;
}

function headline() {
  return [
    number({
      id: 1,
      title: 'Violations',
      unit: 'short',
      width: 4,
      bad: { red: 1 },
      description: 'Violations of invariants that the verifiers found since they started. Anything but 0 refutes a design.',
      queries: [{ expr: `${total('s2lab_violations_total')} or vector(0)`, legend: 'violations' }],
    }),
    number({
      id: 2,
      title: 'Pending frees',
      unit: 'short',
      width: 4,
      description: 'Unlinked sub-trees whose teardown is not complete, now.',
      queries: [{ expr: total('s2lab_pending_frees'), legend: 'pending' }],
    }),
    number({
      id: 3,
      title: 'Oldest pending free',
      unit: 's',
      width: 4,
      decimals: 1,
      description: 'Virtual time since the oldest pending free was retired. A design that only ever grows here is falling behind.',
      queries: [{ expr: largest('s2lab_pending_free_oldest_age_seconds'), legend: 'age' }],
    }),
    number({
      id: 4,
      title: 'Collapses',
      unit: 'cps',
      width: 4,
      description: 'Tables replaced by one block, per second of wall time.',
      queries: [{ expr: perSecond('s2lab_collapses_total'), legend: 'collapses' }],
    }),
    number({
      id: 5,
      title: 'Events',
      unit: 'cps',
      width: 4,
      description: 'Events committed per second of wall time.',
      queries: [{ expr: perSecond('s2lab_events_total'), legend: 'events' }],
    }),
    number({
      id: 6,
      title: 'Machines running',
      unit: 'short',
      width: 4,
      description: 'Machines that started and did not stop.',
      queries: [{ expr: total('s2lab_machines_running'), legend: 'machines' }],
    }),
  ];
}

function reclaim() {
  return [
    curves({
      id: 101,
      title: 'Collapse rate by policy',
      unit: 'short',
      width: 12,
      description:
        'Collapses per machine and virtual second, so that neither the speed of the run nor the number of machines changes the figure.',
      queries: [{ expr: perMachineSecond('s2lab_collapses_total', ['policy', 'machine_kind']), legend: '{{policy}} on {{machine_kind}}' }],
    }),
    curves({
      id: 102,
      title: 'Pending frees by policy',
      unit: 'short',
      width: 12,
      description: 'Unlinked sub-trees handed to the reclaim policy whose teardown is not complete. Policies that free at once stay at 0.',
      queries: [
        { expr: total('s2lab_pending_frees', ['policy']), legend: '{{policy}}' },
        { expr: largest('s2lab_pending_frees_peak', ['policy']), legend: '{{policy}}, peak of one machine' },
      ],
    }),
    curves({
      id: 103,
      title: 'Age of the oldest pending free',
      unit: 's',
      width: 8,
      description:
        'Virtual time since the oldest pending free was retired: how long a grace period, or a stalled reader, holds memory back.',
      queries: [{ expr: largest('s2lab_pending_free_oldest_age_seconds', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 104,
      title: 'Table memory',
      unit: 'bytes',
      width: 8,
      stacked: true,
      description: 'Memory of the table pages allocated and not freed, the pending ones included.',
      queries: [{ expr: total('s2lab_table_memory_bytes', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 105,
      title: 'Walk restarts',
      unit: 'short',
      width: 8,
      description: 'Restarts of software walks that lost a race, per machine and virtual second: the price of walking in parallel.',
      queries: [{ expr: perMachineSecond('s2lab_walk_retries_total', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function stage2() {
  return [
    curves({
      id: 201,
      title: 'Stage-2 faults by kind',
      unit: 'short',
      width: 12,
      stacked: true,
      description: 'Faults taken per machine and virtual second. Collapse and write protection show as permission and translation faults.',
      queries: [{ expr: perMachineSecond('s2lab_faults_total', [], ['fault']), legend: '{{fault}}' }],
    }),
    curves({
      id: 202,
      title: 'TLB invalidations by operation',
      unit: 'short',
      width: 12,
      stacked: true,
      description: 'TLBI instructions issued per machine and virtual second, by Arm’s name of the operation.',
      queries: [{ expr: perMachineSecond('s2lab_tlb_invalidations_total', [], ['op']), legend: '{{op}}' }],
    }),
  ];
}

function pipeline() {
  return [
    curves({
      id: 301,
      title: 'Events per second',
      unit: 'cps',
      width: 8,
      description: 'Events committed by the fleet and events verified, per second of wall time. The two curves should lie on each other.',
      queries: [
        { expr: perSecond('s2lab_events_total'), legend: 'committed' },
        { expr: perSecond('s2lab_verifier_events_total'), legend: 'verified' },
      ],
    }),
    curves({
      id: 302,
      title: 'Violations by invariant',
      unit: 'short',
      width: 8,
      stacked: true,
      description: 'Violations found since the verifier started. `s2lab verify` on the log gives the witness.',
      queries: [
        { expr: total('s2lab_violations_total', ['invariant', 'policy']), legend: '{{invariant}} under {{policy}}' },
        { expr: 'vector(0)', legend: 'none' },
      ],
    }),
    curves({
      id: 303,
      title: 'Lag and back-pressure',
      unit: 'short',
      width: 8,
      description:
        'Frames in the topic that the verifier has not read yet, and the share of wall time that the simulation waited for its sink.',
      queries: [
        { expr: total('s2lab_verifier_lag_frames'), legend: 'lag, frames' },
        { expr: perSecond('s2lab_pipeline_backpressure_seconds_total', ['sink']), legend: 'share of time waited for {{sink}}' },
      ],
    }),
  ];
}
