import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor, QueryEditor } from './query-editor.ts';
import { Stage2DataSource } from './stage2-data-source.ts';
import type { Stage2Query, Stage2Settings } from './stage2-query.ts';

/** What Grafana loads. */
export const plugin = new DataSourcePlugin<Stage2DataSource, Stage2Query, Stage2Settings>(Stage2DataSource)
  .setQueryEditor(QueryEditor)
  .setConfigEditor(ConfigEditor);
