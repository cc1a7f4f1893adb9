import type { DataSourcePluginOptionsEditorProps, QueryEditorProps } from '@grafana/data';
import { InlineField, Input } from '@grafana/ui';
import type { ReactElement } from 'react';
import { createElement as h } from 'react';
import type { Stage2DataSource } from './stage2-data-source.ts';
import type { Stage2Query, Stage2Settings } from './stage2-query.ts';

const LABEL_WIDTH = 14;

const FIELDS = [
  { name: 'machine', label: 'Machine', tooltip: 'Number of the machine, or a variable such as $machine', placeholder: '0' },
  { name: 'vmid', label: 'VMID', tooltip: 'Which stage-2 of a pKVM machine', placeholder: 'first' },
  { name: 'from', label: 'From IPA', tooltip: 'First input address, 0x… or decimal', placeholder: 'all' },
  { name: 'to', label: 'To IPA', tooltip: 'Exclusive end, 0x… or decimal', placeholder: 'all' },
  { name: 'maxRuns', label: 'Most runs', tooltip: 'Beyond that neighbouring slots are merged', placeholder: 'default' },
] as const;

/** Edits a query. */
export function QueryEditor({ query, onChange, onRunQuery }: QueryEditorProps<Stage2DataSource, Stage2Query>): ReactElement {
  const fields = FIELDS.map(({ name, label, tooltip, placeholder }) =>
    h(InlineField, {
      key: name,
      label,
      tooltip,
      labelWidth: LABEL_WIDTH,
      children: h(Input, {
        value: query[name] ?? '',
        placeholder,
        width: 24,
        onChange: (event) => onChange({ ...query, [name]: event.currentTarget.value }),
        onBlur: onRunQuery,
      }),
    }),
  );
  return h('div', { style: { display: 'flex', flexWrap: 'wrap' } }, fields);
}

/** Edits the settings of the data source; its address is given where all data sources have it. */
export function ConfigEditor({ options, onOptionsChange }: DataSourcePluginOptionsEditorProps<Stage2Settings>): ReactElement {
  const input = (label: string, tooltip: string, value: string, changed: (text: string) => typeof options): ReactElement =>
    h(InlineField, {
      label,
      tooltip,
      labelWidth: LABEL_WIDTH,
      children: h(Input, { value, width: 48, onChange: (event) => onOptionsChange(changed(event.currentTarget.value)) }),
    });
  return h(
    'div',
    null,
    input('Fleet', 'Address of the fleet’s HTTP server, as Grafana reaches it', options.url ?? '', (url) => ({ ...options, url })),
    input(
      'Explorer',
      'Address of the explorer’s page, as the reader’s browser reaches it',
      options.jsonData.explorerUrl ?? '',
      (explorerUrl) => ({
        ...options,
        jsonData: { ...options.jsonData, explorerUrl },
      }),
    ),
  );
}
