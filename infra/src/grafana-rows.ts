import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import { machineList, violationList } from './list-panels.ts';
import { machineVariable, stage2Map } from './stage2-map-panel.ts';

/** A row of panels that only Grafana has: they ask our data source, not Prometheus. The page of `npm start` has its own views for them. */
export interface GrafanaRow {
  readonly id: number;
  readonly title: string;
  /** Above or below the rows that Grafana and the page share. */
  readonly place: 'first' | 'last';
  readonly panels: readonly Builder<Panel>[];
  readonly variables: readonly Builder<VariableModel>[];
}

/** The rows by the name of their view. */
export function grafanaRows(): Readonly<Record<string, GrafanaRow>> {
  return {
    reclaim: {
      id: 900,
      title: 'Machines',
      place: 'last',
      variables: [],
      panels: [
        machineList({
          id: 901,
          title: 'Machines with the most pending frees',
          width: 24,
          description:
            'Asked of a fleet directly: no metric has a label for machines, so that time series stay few. The event is the last one; it leads to that ' +
            'moment in the explorer.',
        }),
      ],
    },
    stage2: {
      id: 900,
      title: 'Map',
      place: 'first',
      variables: [machineVariable()],
      panels: [
        stage2Map({
          id: 901,
          title: 'Stage-2 of one machine',
          description:
            'Input addresses across, levels down; colours tell what each slot holds, triangles where walkers stand, hatching which sub-trees wait ' +
            'to be freed. Wheel zooms, dragging moves, the cursor of any panel winds it back; the link opens the event shown in the explorer.',
        }),
      ],
    },
    verifier: {
      id: 900,
      title: 'Violations',
      place: 'first',
      variables: [],
      panels: [
        violationList({
          id: 901,
          title: 'Latest violations',
          width: 24,
          description:
            'The newest violations that a verifier found, and why; empty while every rule holds. The event leads to that moment in the explorer.',
        }),
      ],
    },
  };
}
