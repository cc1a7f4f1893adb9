import type { Panel, View } from '../panel.ts';
import { curves, number } from '../panel.ts';
import { ZERO, orZero, ratio, services } from '../query.ts';

/** Whether the rules hold, and whether the verifiers see everything in time. */
export function verifierView(): View {
  return {
    name: 'verifier',
    title: 'Verifier',
    description: 'Violations of invariants, and whether the verifiers read all events, once, and in time.',
    about: { programs: 's2lab_verifier_events_total' },
    marks: [
      {
        name: 'Violations',
        query: services.total('s2lab_violations_total', ['invariant', 'policy']),
        when: 'above zero', // no growth: the series is born at 1
        text: '{{invariant}} under {{policy}}',
        color: 'red',
        shown: true,
      },
      {
        name: 'Gaps',
        query: services.growth('s2lab_verifier_gaps_total', ['instance']),
        when: 'above zero',
        text: '{{instance}}',
        color: 'orange',
        shown: true,
      },
    ],
    headline: headline(),
    rows: [
      { title: 'Rules', panels: rules() },
      { title: 'What was read', panels: reading() },
      { title: 'Checkpoints', panels: checkpoints() },
    ],
  };
}

function headline(): Panel[] {
  return [
    number({
      id: 1,
      title: 'Violations',
      unit: 'short',
      width: 6,
      bad: { red: 1 },
      description: 'Violations found since the verifiers started. Anything but 0 refutes a design, or the model of it.',
      queries: [{ query: orZero(services.total('s2lab_violations_total')), legend: 'violations' }],
    }),
    number({
      id: 2,
      title: 'Lag',
      unit: 'short',
      width: 6,
      bad: { yellow: 50, red: 500 },
      description: 'Frames in the topic that the verifiers have not read yet.',
      queries: [{ query: services.total('s2lab_verifier_lag_frames'), legend: 'frames' }],
    }),
    number({
      id: 3,
      title: 'Verified',
      unit: 'cps',
      width: 6,
      description: 'Events verified per second of wall time.',
      queries: [{ query: services.perSecond('s2lab_verifier_events_total'), legend: 'events' }],
    }),
    number({
      id: 4,
      title: 'Gaps',
      unit: 'short',
      width: 6,
      bad: { red: 1 },
      description: 'Gaps in the sequence numbers of machines since the verifiers started: events that never arrived.',
      queries: [{ query: services.total('s2lab_verifier_gaps_total'), legend: 'gaps' }],
    }),
  ];
}

function rules(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Violations by invariant',
      unit: 'short',
      width: 12,
      stacked: true,
      description:
        'Violations found since the verifier started. Only “none” is drawn while every rule holds; `s2lab verify` on the log gives the witness.',
      queries: [
        { query: services.total('s2lab_violations_total', ['invariant', 'policy']), legend: '{{invariant}} under {{policy}}' },
        { query: ZERO, legend: 'none' },
      ],
    }),
    curves({
      id: 102,
      title: 'Events verified',
      unit: 'cps',
      width: 12,
      stacked: true,
      description: 'Events verified per second of wall time, by verifier. Several verifiers share the partitions of the topic.',
      queries: [{ query: services.perSecond('s2lab_verifier_events_total', ['instance']), legend: '{{instance}}' }],
    }),
  ];
}

function reading(): Panel[] {
  return [
    curves({
      id: 201,
      title: 'Lag by verifier',
      unit: 'short',
      width: 8,
      bad: { yellow: 50, red: 500 },
      description: 'Frames in the topic that the verifier has not read yet. Above the red line for two minutes VerifierLags is raised.',
      queries: [{ query: services.total('s2lab_verifier_lag_frames', ['instance']), legend: '{{instance}}' }],
    }),
    curves({
      id: 202,
      title: 'Frames verified',
      unit: 'cps',
      width: 8,
      description: 'Frames verified per second of wall time, by verifier.',
      queries: [{ query: services.perSecond('s2lab_verifier_frames_total', ['instance']), legend: '{{instance}}' }],
    }),
    curves({
      id: 203,
      title: 'Events per frame verified',
      unit: 'short',
      width: 8,
      description: 'Mean number of events in a frame. Small frames cost more per event. No curve while nothing is verified.',
      queries: [
        {
          query: ratio(services.perSecond('s2lab_verifier_events_total'), services.perSecond('s2lab_verifier_frames_total')),
          legend: 'events',
        },
      ],
    }),
    curves({
      id: 204,
      title: 'Gaps and machines not judged',
      unit: 'short',
      width: 8,
      description:
        'Gaps: events that never arrived. Not judged: machines whose first events the topic no longer held when the verifier came. Both since the verifier started; a retention that is too short gives both.',
      queries: [
        { query: services.total('s2lab_verifier_gaps_total'), legend: 'gaps' },
        { query: services.total('s2lab_verifier_unjudged_machines_total'), legend: 'machines not judged' },
      ],
    }),
    curves({
      id: 205,
      title: 'Duplicates',
      unit: 'cps',
      width: 8,
      description:
        'Events that arrived again and were dropped, per second. A producer that tries again after a lost answer causes them; they do no harm.',
      queries: [{ query: services.perSecond('s2lab_verifier_duplicate_events_total'), legend: 'duplicates' }],
    }),
    curves({
      id: 206,
      title: 'Dead letters',
      unit: 'short',
      width: 8,
      description:
        'Messages that were no readable frame, by kind of damage, since the verifier started. Only “none” is drawn while there are none.',
      queries: [
        { query: services.total('s2lab_verifier_dead_letters_total', ['damage']), legend: '{{damage}}' },
        { query: ZERO, legend: 'none' },
      ],
    }),
  ];
}

function checkpoints() {
  return [
    curves({
      id: 301,
      title: 'Checkpoint age',
      unit: 's',
      width: 8,
      bad: { yellow: 30, red: 120 },
      description:
        'Wall time since the first event was judged that no checkpoint holds yet, by verifier: what would be judged anew after a crash. Above the red line for a minute CheckpointTooOld is raised.',
      queries: [{ query: services.total('s2lab_verifier_checkpoint_age_seconds', ['instance']), legend: '{{instance}}' }],
    }),
    curves({
      id: 302,
      title: 'Size of a checkpoint',
      unit: 'bytes',
      width: 8,
      description:
        'Mean bytes of a checkpoint of one partition. They grow with live tables, not with the length of the log. No curve while none is kept.',
      queries: [
        {
          query: ratio(services.perSecond('s2lab_verifier_checkpoint_bytes_total'), services.perSecond('s2lab_verifier_checkpoints_total')),
          legend: 'bytes',
        },
      ],
    }),
    curves({
      id: 303,
      title: 'Restarts and shares',
      unit: 'short',
      width: 8,
      description:
        'Partitions of each verifier; how often judging of partitions was taken up from a checkpoint (crashes, restarts, rebalances); checkpoints that could not be kept or taken up.',
      queries: [
        { query: services.total('s2lab_verifier_partitions', ['instance']), legend: 'partitions of {{instance}}' },
        { query: services.total('s2lab_verifier_restarts'), legend: 'restarts' },
        { query: services.total('s2lab_verifier_taken_up_total', ['from']), legend: 'taken up from {{from}}' },
        { query: services.total('s2lab_verifier_checkpoint_failures_total'), legend: 'failures' },
      ],
    }),
  ];
}
