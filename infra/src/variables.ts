import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { DATA_SOURCE } from './panels.ts';
import { MACHINE_VARIABLES } from '@s2lab/dashboards';

const CHOOSES_FROM = 's2lab_events_total';
const LABELS: Record<(typeof MACHINE_VARIABLES)[number], string> = { policy: 'Policy', machine_kind: 'Machine kind', workload: 'Workload' };

/** The variables of a dashboard about machines: data source, who tells, and which machines. */
export function machineVariables(): Builder<VariableModel>[] {
  return [
    dataSource(),
    choice('job', 'Told by', `label_values(${CHOOSES_FROM}, job)`)
      .description('The fleet and the verifier expose the same metrics of events; one of them is shown.')
      .current({ text: 'fleet', value: 'fleet' }),
    several('instance', 'Instance', `label_values(${CHOOSES_FROM}{job="$job"}, instance)`),
    ...MACHINE_VARIABLES.map((name) => several(name, LABELS[name], `label_values(${CHOOSES_FROM}{job="$job"}, ${name})`)),
  ];
}

/** The variables of a dashboard about programs: data source, jobs and instances. `metric` is exposed by all that are shown. */
export function serviceVariables(metric: string): Builder<VariableModel>[] {
  return [
    dataSource(),
    several('job', 'Program', `label_values(${metric}, job)`),
    several('instance', 'Instance', `label_values(${metric}{job=~"$job"}, instance)`),
  ];
}

function dataSource(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource')
    .label('Data source')
    .type('prometheus')
    .current({ text: 'Prometheus', value: 's2lab-prometheus' });
}

function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATA_SOURCE)
    .query({ query, refId: `variable-${name}` })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

function several(name: string, label: string, query: string): QueryVariableBuilder {
  return choice(name, label, query).multi(true).includeAll(true).allValue('.+').current({ text: 'All', value: '$__all' });
}
