/*
 * As much of Grafana 12's plugin interface as our plugins use. The packages themselves (172 MB, and more for @grafana/ui) would serve for types
 * alone: at run time Grafana hands its own modules to the plugin. docs/adr/0043-grafana-plugins.md tells how this was held against them.
 */

declare module '@grafana/data' {
  import type { ComponentType } from 'react';

  interface DataSourceRef {
    readonly type?: string;
    readonly uid?: string;
  }
  interface Field {
    readonly name: string;
    readonly type: FieldType;
    readonly config: Readonly<Record<string, unknown>>;
    readonly values: readonly unknown[];
  }
  enum FieldType {
    number = 'number',
    string = 'string',
  }
  interface DataFrame {
    readonly name?: string;
    readonly refId?: string;
    readonly length: number;
    readonly fields: readonly Field[];
    readonly meta?: { readonly custom?: Readonly<Record<string, unknown>> };
  }
  interface TimeRange {
    readonly from: { valueOf(): number };
    readonly to: { valueOf(): number };
  }

  class BusEvent {
    readonly type: string;
    readonly origin?: EventBus;
  }
  interface DataHoverPayload {
    readonly point: Record<string, number | null>;
  }
  class DataHoverEvent extends BusEvent {
    constructor(payload: DataHoverPayload);
    readonly payload: DataHoverPayload;
  }
  class DataHoverClearEvent extends BusEvent {}
  interface EventBus {
    publish(event: BusEvent): void;
    subscribe<E extends BusEvent>(type: new (...args: never[]) => E, handler: (event: E) => void): { unsubscribe(): void };
  }

  interface PanelProps<Options> {
    readonly data: { readonly series: readonly DataFrame[]; readonly request?: DataQueryRequest<DataQuery> };
    readonly timeRange: TimeRange;
    readonly options: Options;
    readonly width: number;
    readonly height: number;
    readonly eventBus: EventBus;
    replaceVariables(text: string): string;
  }
  interface OptionSpec<Options, Value, Settings = object> {
    readonly path: keyof Options & string;
    readonly name: string;
    readonly description?: string;
    readonly defaultValue: Value;
    readonly settings?: Settings;
  }
  interface Choice<Value> {
    readonly value: Value;
    readonly label: string;
  }
  interface PanelOptionsEditorBuilder<Options> {
    addTextInput(spec: OptionSpec<Options, string, { readonly placeholder?: string }>): this;
    addBooleanSwitch(spec: OptionSpec<Options, boolean>): this;
    addRadio<Value>(spec: OptionSpec<Options, Value, { readonly options: readonly Choice<Value>[] }>): this;
    addSelect<Value>(spec: OptionSpec<Options, Value, { readonly options: readonly Choice<Value>[] }>): this;
  }
  class PanelPlugin<Options> {
    constructor(panel: ComponentType<PanelProps<Options>>);
    setPanelOptions(builder: (builder: PanelOptionsEditorBuilder<Options>) => void): this;
  }

  interface DataQuery {
    readonly refId: string;
    readonly hide?: boolean;
    readonly datasource?: DataSourceRef | null;
  }
  interface DataQueryRequest<Query> {
    readonly targets: readonly Query[];
    readonly scopedVars: Readonly<Record<string, unknown>>;
  }
  interface DataSourceInstanceSettings<Settings> {
    readonly uid: string;
    readonly name: string;
    readonly url?: string;
    readonly jsonData: Settings;
  }
  interface MetricFindValue {
    readonly text: string;
    readonly value?: string;
  }
  abstract class DataSourceApi<Query, Settings> {
    constructor(settings: DataSourceInstanceSettings<Settings>);
    readonly uid: string;
    readonly name: string;
    abstract query(request: DataQueryRequest<Query>): Promise<{ readonly data: readonly DataFrame[] }>;
    abstract testDatasource(): Promise<{ readonly status: 'success' | 'error'; readonly message: string }>;
    filterQuery?(query: Query): boolean;
    metricFindQuery?(query: unknown): Promise<MetricFindValue[]>;
    getDefaultQuery?(): Partial<Query>;
  }
  interface QueryEditorProps<Source, Query> {
    readonly datasource: Source;
    readonly query: Query;
    onChange(query: Query): void;
    onRunQuery(): void;
  }
  interface DataSourcePluginOptionsEditorProps<Settings> {
    readonly options: DataSourceInstanceSettings<Settings>;
    onOptionsChange(options: DataSourceInstanceSettings<Settings>): void;
  }
  class DataSourcePlugin<Source, Query, Settings> {
    constructor(source: new (settings: DataSourceInstanceSettings<Settings>) => Source);
    setQueryEditor(editor: ComponentType<QueryEditorProps<Source, Query>>): this;
    setConfigEditor(editor: ComponentType<DataSourcePluginOptionsEditorProps<Settings>>): this;
  }
}

declare module '@grafana/runtime' {
  import type { DataSourceApi, DataQuery, DataSourceRef } from '@grafana/data';

  function getDataSourceSrv(): { get(ref: DataSourceRef | null | undefined): Promise<DataSourceApi<DataQuery, object>> };
  interface BackendSrv {
    get<Answer>(url: string, params?: Readonly<Record<string, string>>, requestId?: string): Promise<Answer>;
  }
  function getBackendSrv(): BackendSrv;
  interface TemplateSrv {
    replace(text: string, scopedVars?: Readonly<Record<string, unknown>>): string;
  }
  function getTemplateSrv(): TemplateSrv;
}

declare module '@grafana/ui' {
  import type { ComponentType, ReactNode } from 'react';

  function useTheme2(): { readonly isDark: boolean; readonly typography: { readonly fontFamily: string } };
  const InlineField: ComponentType<{
    readonly label: string;
    readonly labelWidth?: number;
    readonly tooltip?: string;
    readonly children: ReactNode;
  }>;
  const Input: ComponentType<{
    readonly value: string;
    readonly width?: number;
    readonly placeholder?: string;
    readonly onChange: (event: { readonly currentTarget: { readonly value: string } }) => void;
    readonly onBlur?: () => void;
  }>;
}
