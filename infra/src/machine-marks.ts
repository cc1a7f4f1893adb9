import { machines } from './query.ts';
import type { BoardSpec } from './board.ts';

/** What is marked on dashboards about machines. */
export function machineMarks(): BoardSpec['marks'] {
  return [
    {
      name: 'Violations',
      expr: 'sum by (invariant, policy) (s2lab_violations_total) > 0',
      text: '{{invariant}} under {{policy}}',
      color: 'red',
      shown: true,
    },
    {
      name: 'Injected faults',
      expr: machines.grown('s2lab_faults_injected_total', ['injected', 'policy']),
      text: '{{injected}} under {{policy}}',
      color: 'orange',
      shown: true,
    },
    {
      // Machines of a fleet are out of step, so that some phase begins nearly always: shown on demand.
      name: 'Phases',
      expr: machines.grown('s2lab_phases_began_total', ['phase', 'policy']),
      text: '{{phase}} under {{policy}}',
      color: 'blue',
      shown: false,
    },
  ];
}
