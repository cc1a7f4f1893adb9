import type { View as PanelView } from '@s2lab/dashboards';
import type { MetricRow, MetricSeries } from '../../../metric-row.ts';
import { ControlBar } from '../../controls/control-bar.ts';
import { labStream } from '../../lab-stream.ts';
import { RunHeader } from '../../run-header.ts';
import type { Bar, ShownView, View } from '../../shell.ts';
import { Dashboard } from './dashboard.ts';
import { MetricHistory } from './metric-history.ts';
import { TopMachines } from './top-machines.ts';

/** The view that also lists the machines with the most pending frees. */
const WITH_TOP_MACHINES = 'reclaim';

/** The dashboards as views of the page: the same that Grafana shows, drawn from the metrics of the lab behind the page. */
export async function dashboardViews(): Promise<View[]> {
  const views = (await (await fetch('api/views')).json()) as PanelView[];
  const metrics = new Metrics();
  return views.map((view) => ({ name: view.name, title: view.title, open: (root, bar) => openDashboard(view, metrics, root, bar) }));
}

/** The values of all metrics, from the moment at which the first dashboard is opened. */
class Metrics {
  readonly history = new MetricHistory();
  private readonly listeners: (() => void)[] = [];
  private source: EventSource | undefined;

  /** Calls `changed` whenever there are newer values. */
  listen(changed: () => void): void {
    this.listeners.push(changed);
    this.source ??= this.open();
  }

  private open(): EventSource {
    const source = new EventSource('api/metrics/live');
    source.addEventListener('history', (event) => {
      const { series, rows } = JSON.parse(event.data) as { series: MetricSeries[]; rows: MetricRow[] };
      this.history.replace(series, rows);
      this.tell();
    });
    source.addEventListener('series', (event) => this.history.born(JSON.parse(event.data) as MetricSeries[]));
    source.addEventListener('row', (event) => {
      this.history.push(JSON.parse(event.data) as MetricRow);
      this.tell();
    });
    return source;
  }

  private tell(): void {
    for (const changed of this.listeners) changed();
  }
}

function openDashboard(view: PanelView, metrics: Metrics, root: HTMLElement, bar: Bar): ShownView {
  const header = new RunHeader(bar.facts, bar.verdict);
  const controls = new ControlBar();
  root.append(controls.element);
  const dashboard = new Dashboard(root, view, metrics.history);
  const top = view.name === WITH_TOP_MACHINES ? new TopMachines() : undefined;
  if (top !== undefined) root.append(top.element);
  let shown = false;
  metrics.listen(() => {
    if (shown) dashboard.refresh();
  });
  labStream.listen({
    about: (about) => {
      header.about(about);
      controls.about();
    },
    sample: (sample, fresh) => {
      if (fresh) header.sample(sample);
    },
    lost: () => header.lost(),
  });
  return {
    show: () => {
      shown = true;
      dashboard.refresh();
      top?.begin();
    },
    hide: () => {
      shown = false;
      top?.end();
    },
  };
}
