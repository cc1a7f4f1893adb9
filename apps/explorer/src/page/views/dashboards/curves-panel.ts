import type { CurvesPanel } from '@s2lab/dashboards';
import type { ChartData, ChartMark } from '../../charts/chart.ts';
import { Chart } from '../../charts/chart.ts';
import type { Choice, Samples } from './evaluate.ts';
import { curvesOf, legendOf } from './evaluate.ts';
import type { ShownPanel } from './shown-panel.ts';
import { UNITS } from './units.ts';

/** Seconds that a dashboard shows at most. */
const WINDOW = 300;

/** Curves over time. */
export class CurvesChart implements ShownPanel {
  readonly element: HTMLElement;
  private readonly panel: CurvesPanel;
  private readonly chart: Chart;

  constructor(panel: CurvesPanel) {
    this.panel = panel;
    const { title, description, unit, bad, max, stacked = false } = panel;
    const lines =
      bad === undefined
        ? []
        : [...(bad.yellow === undefined ? [] : [{ value: bad.yellow, colour: '--warn' }]), { value: bad.red, colour: '--bad' }];
    this.chart = new Chart({
      title,
      help: description,
      unit: '',
      windowMax: WINDOW,
      stacked,
      lines,
      ...UNITS[unit],
      ...(max === undefined ? {} : { max }),
    });
    this.element = this.chart.element;
  }

  show(samples: Samples, choice: Choice, marks: readonly ChartMark[]): void {
    this.chart.show(this.data(samples, choice), marks);
  }

  rebuild(): void {
    this.chart.rebuild();
  }

  private data(samples: Samples, choice: Choice): ChartData {
    const names: string[] = [];
    const rows: (number | null)[][] = [];
    for (const { query, legend } of this.panel.queries) {
      for (const { labels, at } of curvesOf(query, samples, choice)) {
        names.push(legendOf(legend, labels));
        rows.push(samples.rows.map((_, i) => at(i)));
      }
    }
    return { names, times: samples.rows.map(({ t }) => t), rows };
  }
}
