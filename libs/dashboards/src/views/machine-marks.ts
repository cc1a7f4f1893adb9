import type { Mark } from '../panel.ts';
import { machines } from '../query.ts';

/** What is marked on views about machines. */
export function machineMarks(): readonly Mark[] {
  return [
    {
      name: 'Violations',
      query: machines.total('s2lab_violations_total', ['invariant', 'policy']),
      when: 'above zero',
      text: '{{invariant}} under {{policy}}',
      color: 'red',
      shown: true,
    },
    {
      name: 'Injected faults',
      query: machines.growth('s2lab_faults_injected_total', ['injected', 'policy']),
      when: 'above zero',
      text: '{{injected}} under {{policy}}',
      color: 'orange',
      shown: true,
    },
    {
      // Machines of a fleet are out of step, so that some phase begins nearly always: shown on demand.
      name: 'Phases',
      query: machines.growth('s2lab_phases_began_total', ['phase', 'policy']),
      when: 'above zero',
      text: '{{phase}} under {{policy}}',
      color: 'blue',
      shown: false,
    },
  ];
}
