import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  PanelBuilder,
  QueryVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Stage2Query } from '@s2lab/stage2-datasource';
import { DATA_SOURCE_ID } from '@s2lab/stage2-datasource';
import type { MapOptions } from '@s2lab/stage2-panel';
import { PANEL_ID } from '@s2lab/stage2-panel';

/** The provisioned data source of stage-2 states: infra/grafana/provisioning/datasources. */
export const STAGE2_SOURCE = { type: DATA_SOURCE_ID, uid: 's2lab-stage2' } as const;

const HEIGHT = 12;

/** The row in which the map stands. */
export const MAP_ROW = { id: 500, title: 'Map' } as const;

/** The stage-2 of the machine that the variable `machine` names, as a map. */
export function stage2Map(): PanelBuilder {
  const query: Stage2Query = { refId: 'A', datasource: STAGE2_SOURCE, machine: '$machine' };
  const options: MapOptions = { machine: '', top: 0, bottom: 3, palette: 'theme', legend: true, strip: true };
  const target: Builder<Dataquery> = { build: () => query as unknown as Dataquery };
  return new PanelBuilder()
    .type(PANEL_ID)
    .id(MAP_ROW.id + 1)
    .title('Stage-2 of one machine')
    .description(
      'Input addresses across, levels down; colours tell what each slot holds, triangles where walkers stand, hatching which sub-trees wait ' +
        'to be freed. Wheel zooms, dragging moves, the cursor of any panel winds it back; the link opens the event shown in the explorer.',
    )
    .datasource(STAGE2_SOURCE)
    .unit('none')
    .height(HEIGHT)
    .span(24)
    .options(options)
    .targets([target]);
}

/** Which machine the map shows: those that the fleet has. */
export function machineVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder('machine')
    .label('Machine on the map')
    .description('The fleet that answers is asked which machines it has.')
    .datasource(STAGE2_SOURCE)
    .query('machines')
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NumericalAsc)
    .current({ text: '0', value: '0' });
}

/** The address of the explorer, which the data source has from the environment (S2LAB_EXPLORER_URL). */
export function explorerVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder('explorer')
    .label('Explorer')
    .hide(VariableHide.HideVariable)
    .datasource(STAGE2_SOURCE)
    .query('explorer')
    .refresh(VariableRefresh.OnTimeRangeChanged);
}

/** The way to the explorer's page. The map links to the event that it shows. */
export function explorerLink(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Explorer')
    .type(DashboardLinkType.Link)
    .url('${explorer:raw}')
    .icon('external link')
    .tooltip('The lab’s own page: live view and time travel through logs')
    .targetBlank(true);
}
