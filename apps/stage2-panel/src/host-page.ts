// A small page that stands in for Grafana in the tests: it loads plugins as Grafana does (SystemJS, AMD) and hands them React itself and thin
// modules of its own for what our plugins use of @grafana/*. Bundled by the spec; no part of the plugin.
import * as React from 'react';
import * as ReactDom from 'react-dom';
import { createRoot } from 'react-dom/client';

/** As much of SystemJS as is used. */
interface Loader {
  set(id: string, module: object): void;
  addImportMap(map: { readonly imports: Readonly<Record<string, string>> }): void;
  import(url: string): Promise<{ readonly plugin: unknown }>;
}
declare const System: Loader;

class BusEvent {
  origin: Bus | undefined;
  readonly payload: unknown;
  constructor(payload?: unknown) {
    this.payload = payload;
  }
}
class DataHoverEvent extends BusEvent {}
class DataHoverClearEvent extends BusEvent {}

type Handler = (event: BusEvent) => void;

/** A panel’s view of the dashboard’s bus: what it publishes says that it comes from here. */
class Bus {
  private readonly all: Map<unknown, Set<Handler>>;
  constructor(all: Map<unknown, Set<Handler>> = new Map()) {
    this.all = all;
  }

  scoped(): Bus {
    return new Bus(this.all);
  }

  publish(event: BusEvent): void {
    event.origin ??= this;
    for (const handler of this.all.get(event.constructor) ?? []) handler(event);
  }

  subscribe(type: unknown, handler: Handler): { unsubscribe(): void } {
    const handlers = this.all.get(type) ?? new Set();
    this.all.set(type, handlers.add(handler));
    return { unsubscribe: () => void handlers.delete(handler) };
  }
}

type Component = React.ComponentType<Record<string, unknown>>;

/** Takes the defaults out of a panel’s options. */
class OptionsBuilder {
  readonly defaults: Record<string, unknown> = {};
  private readonly take = (spec: { readonly path: string; readonly defaultValue: unknown }): this => {
    this.defaults[spec.path] = spec.defaultValue;
    return this;
  };
  readonly addTextInput = this.take;
  readonly addSelect = this.take;
  readonly addRadio = this.take;
  readonly addBooleanSwitch = this.take;
}

class PanelPlugin {
  readonly panel: Component;
  readonly options = new OptionsBuilder();
  constructor(panel: Component) {
    this.panel = panel;
  }

  setPanelOptions(offer: (builder: OptionsBuilder) => void): this {
    offer(this.options);
    return this;
  }
}

class DataSourceApi {
  readonly uid: string;
  constructor(settings: { readonly uid: string }) {
    this.uid = settings.uid;
  }
}

class DataSourcePlugin {
  readonly source: new (settings: object) => Source;
  readonly editors: Record<string, Component> = {};
  constructor(source: new (settings: object) => Source) {
    this.source = source;
  }

  setQueryEditor(editor: Component): this {
    this.editors['query'] = editor;
    return this;
  }

  setConfigEditor(editor: Component): this {
    this.editors['config'] = editor;
    return this;
  }
}

interface Source {
  query(request: object): Promise<{ readonly data: readonly object[] }>;
  testDatasource(): Promise<{ readonly status: string; readonly message: string }>;
  metricFindQuery(query: string): Promise<readonly { readonly text: string; readonly value: string }[]>;
}

const variables: Record<string, string> = { machine: '1' };
const replace = (text: string): string => text.replace(/\$(\w+)/g, (_, name: string) => variables[name] ?? '');
let dark = false;

async function get(url: string, params: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const answer = await fetch(`${url}?${String(new URLSearchParams(params))}`);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

const modules: Readonly<Record<string, object>> = {
  react: { ...React, default: React },
  'react-dom': { ...ReactDom, default: ReactDom },
  '@grafana/data': {
    DataHoverEvent,
    DataHoverClearEvent,
    PanelPlugin,
    DataSourceApi,
    DataSourcePlugin,
    FieldType: { number: 'number', string: 'string' },
  },
  '@grafana/runtime': {
    getBackendSrv: () => ({ get }),
    getTemplateSrv: () => ({ replace }),
    getDataSourceSrv: () => ({ get: async () => host.source }),
  },
  '@grafana/ui': {
    useTheme2: () => ({ isDark: dark, typography: { fontFamily: 'sans-serif' } }),
    InlineField: ({ label, children }: { readonly label: string; readonly children: React.ReactNode }) =>
      React.createElement('label', null, label, children),
    Input: ({ width: _width, ...rest }: Record<string, unknown>) => React.createElement('input', rest),
  },
};

/** What the spec does with the page. */
export class HostPage {
  readonly bus = new Bus();
  /** Times that panels published as the cursor, and `null` for its end. */
  readonly cursor: (number | null)[] = [];
  private readonly panelBus = this.bus.scoped();
  source: Source | undefined;
  private panel: PanelPlugin | undefined;
  private editors: DataSourcePlugin | undefined;
  private data: { readonly series: readonly object[]; readonly request?: object } = { series: [] };
  private readonly root = createRoot(document.getElementById('panel')!);
  private readonly fromMs = Date.now() - 60_000;

  /** Loads both plugins from where Grafana serves them. */
  async load(url: string): Promise<void> {
    for (const [name, module] of Object.entries(modules)) System.set(`package:${name}`, { ...module, __useDefault: false });
    System.addImportMap({ imports: Object.fromEntries(Object.keys(modules).map((name) => [name, `package:${name}`])) });
    this.panel = (await System.import('/public/plugins/s2lab-stage2-panel/module.js')).plugin as PanelPlugin;
    this.editors = (await System.import('/public/plugins/s2lab-stage2-datasource/module.js')).plugin as DataSourcePlugin;
    this.source = new this.editors.source({ uid: 'x', name: 'x', url, jsonData: { explorerUrl: 'http://127.0.0.1:7800/' } });
    this.bus.subscribe(DataHoverEvent, (event) => {
      if (event.origin === this.panelBus) this.cursor.push((event.payload as { point: { time: number } }).point.time);
    });
    this.bus.subscribe(DataHoverClearEvent, (event) => {
      if (event.origin === this.panelBus) this.cursor.push(null);
    });
  }

  /** Asks the data source, as Grafana does at each refresh. */
  async refresh(query: object): Promise<number> {
    const request = { targets: [{ refId: 'A', ...query }], scopedVars: {} };
    this.data = await this.source!.query(request).then(({ data }) => ({ series: data, request }));
    return this.data.series.length;
  }

  test(): Promise<{ readonly status: string; readonly message: string }> {
    return this.source!.testDatasource();
  }

  find(query: string): Promise<readonly { readonly text: string; readonly value: string }[]> {
    return this.source!.metricFindQuery(query);
  }

  /** Draws the panel with its latest data. */
  draw(options: object, theme: 'light' | 'dark', width: number, height: number): void {
    dark = theme === 'dark';
    document.body.style.cssText = `margin:0;font-family:sans-serif;background:${dark ? '#181b1f' : '#fff'};color:${dark ? '#ced4da' : '#2b2f36'}`;
    this.root.render(
      React.createElement(this.panel!.panel, {
        data: this.data,
        options: { ...this.panel!.options.defaults, ...options },
        width,
        height,
        eventBus: this.panelBus,
        timeRange: { from: this.fromMs, to: Date.now() },
        replaceVariables: replace,
      }),
    );
  }

  /** Another panel of the dashboard moves the cursor. */
  hoverElsewhere(timeMs: number | null): void {
    this.bus.publish(timeMs === null ? new DataHoverClearEvent() : new DataHoverEvent({ point: { time: timeMs } }));
  }

  /** Draws the editor of a query, and tells what it changes. */
  edit(query: object, changed: (query: object) => void): void {
    const props = { query, datasource: this.source, onChange: changed, onRunQuery: () => {} };
    createRoot(document.getElementById('editor')!).render(React.createElement(this.editors!.editors['query']!, props));
  }
}

const host = new HostPage();
Object.assign(globalThis, { host });
