import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import type { Stage2Query } from '@s2lab/stage2-datasource';
import { DATA_SOURCE_ID } from '@s2lab/stage2-datasource';
import { STAGE2_SOURCE } from './stage2-map-panel.ts';

/** The provisioned data source of verdicts. */
export const VERIFIER_SOURCE = { type: DATA_SOURCE_ID, uid: 's2lab-verifier' } as const;

const HEIGHT = 8;

interface ListSpec {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly width: number;
}

/** The machines with the most pending frees, each with the way to its last event in the explorer. */
export function machineList(spec: ListSpec): TableBuilder {
  return list(spec, { refId: 'A', datasource: STAGE2_SOURCE, show: 'machines' }).overrideByName('oldestPendingNs', [
    { id: 'unit', value: 'ns' },
    { id: 'displayName', value: 'oldest pending' },
  ]);
}

/** The latest violations, each with the way to its event in the explorer. */
export function violationList(spec: ListSpec): TableBuilder {
  return list(spec, { refId: 'A', datasource: VERIFIER_SOURCE, show: 'violations' }).overrideByName('because', [
    { id: 'custom.minWidth', value: 400 },
  ]);
}

function list({ id, title, description, width }: ListSpec, query: Stage2Query): TableBuilder {
  const target: Builder<Dataquery> = { build: () => query as unknown as Dataquery };
  const url = '${explorer:raw}#seq=${__data.fields.event}&machine=${__data.fields.machine}';
  return new TableBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(query.datasource!)
    .unit('none')
    .height(HEIGHT)
    .span(width)
    .targets([target])
    .overrideByName('event', [{ id: 'links', value: [{ title: 'Open in the explorer', url, targetBlank: true }] }]);
}
