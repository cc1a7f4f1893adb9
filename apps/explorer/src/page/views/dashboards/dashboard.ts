import type { Mark, Panel, View } from '@s2lab/dashboards';
import type { ChartMark } from '../../charts/chart.ts';
import { onSchemeChange } from '../../palette.ts';
import { CurvesChart } from './curves-panel.ts';
import type { Choice } from './evaluate.ts';
import { curvesOf, legendOf } from './evaluate.ts';
import { HeatMap } from './heat-map.ts';
import type { MetricHistory } from './metric-history.ts';
import { NumberCard } from './number-panel.ts';
import type { ShownPanel } from './shown-panel.ts';

/** Labels by which machines are chosen, with their words. The metric that has them all is the number of events. */
const CHOICES = { policy: 'Policy', machine_kind: 'Machine kind', workload: 'Workload' } as const;
const CHOSEN_FROM = 's2lab_events_total';

/** One dashboard: the panels of a view, in rows. */
export class Dashboard {
  private readonly view: View;
  private readonly history: MetricHistory;
  private readonly panels: ShownPanel[] = [];
  private readonly selects = new Map<string, HTMLSelectElement>();
  private readonly marks: { readonly mark: Mark; shown: boolean }[];
  private paused = false;

  constructor(root: HTMLElement, view: View, history: MetricHistory) {
    this.view = view;
    this.history = history;
    this.marks = view.marks.map((mark) => ({ mark, shown: mark.shown }));
    root.append(this.toolbar(), this.row(undefined, view.headline), ...view.rows.map(({ title, panels }) => this.row(title, panels)));
    onSchemeChange(() => {
      for (const panel of this.panels) panel.rebuild();
    });
  }

  /** Draws what arrived, unless the reader has paused the view. */
  refresh(): void {
    if (this.paused || this.history.rows.length === 0) return;
    this.offer();
    const choice = this.choice();
    const marks = this.chartMarks(choice);
    for (const panel of this.panels) panel.show(this.history, choice, marks);
  }

  private row(title: string | undefined, panels: readonly Panel[]): HTMLElement {
    const row = document.createElement('section');
    row.className = 'dashboard-row';
    if (title !== undefined) {
      const heading = document.createElement('h3');
      heading.textContent = title;
      row.append(heading);
    }
    for (const panel of panels) {
      const shown = makePanel(panel);
      shown.element.classList.add('cell');
      shown.element.style.setProperty('--width', String(panel.width));
      this.panels.push(shown);
      row.append(shown.element);
    }
    return row;
  }

  private toolbar(): HTMLElement {
    const bar = document.createElement('div');
    bar.className = 'toolbar';
    const note = document.createElement('p');
    note.className = 'note';
    note.textContent = this.view.description;
    bar.append(note);
    if (this.view.about === 'machines') for (const [label, word] of Object.entries(CHOICES)) bar.append(this.select(label, word));
    for (const entry of this.marks) bar.append(this.markSwitch(entry));
    const pause = document.createElement('button');
    pause.type = 'button';
    pause.textContent = 'Pause view';
    pause.setAttribute('aria-pressed', 'false');
    pause.addEventListener('click', () => {
      this.paused = !this.paused;
      pause.setAttribute('aria-pressed', String(this.paused));
      pause.textContent = this.paused ? 'Resume view' : 'Pause view';
      this.refresh();
    });
    bar.append(pause);
    return bar;
  }

  private select(name: string, word: string): HTMLElement {
    const label = document.createElement('label');
    const select = document.createElement('select');
    select.append(new Option('all', ''));
    select.addEventListener('change', () => this.refresh());
    this.selects.set(name, select);
    label.append(word, select);
    return label;
  }

  private markSwitch(entry: { readonly mark: Mark; shown: boolean }): HTMLElement {
    const label = document.createElement('label');
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = entry.shown;
    box.addEventListener('change', () => {
      entry.shown = box.checked;
      this.refresh();
    });
    label.append(box, entry.mark.name);
    return label;
  }

  /** Offers the values that there are by now. */
  private offer(): void {
    for (const [label, select] of this.selects)
      for (const value of this.history.valuesOf(CHOSEN_FROM, label))
        if (![...select.options].some((option) => option.value === value)) select.append(new Option(value, value));
  }

  private choice(): Choice {
    return Object.fromEntries([...this.selects].flatMap(([label, { value }]) => (value === '' ? [] : [[label, value]])));
  }

  /** Where each mark that is shown begins. */
  private chartMarks(choice: Choice): ChartMark[] {
    const found: ChartMark[] = [];
    for (const { mark, shown } of this.marks) {
      if (!shown) continue;
      for (const { labels, at } of curvesOf(mark.query, this.history, choice)) {
        let before = false;
        this.history.rows.forEach(({ t }, i) => {
          const value = at(i);
          const is = value !== null && (mark.when === 'zero' ? value === 0 : value > 0);
          if (is && !before) found.push({ t, text: legendOf(mark.text, labels), colour: `--mark-${mark.color}` });
          before = is;
        });
      }
    }
    return found.toSorted((a, b) => a.t - b.t);
  }
}

function makePanel(panel: Panel): ShownPanel {
  switch (panel.kind) {
    case 'curves':
      return new CurvesChart(panel);
    case 'number':
      return new NumberCard(panel);
    case 'heatMap':
      return new HeatMap(panel);
  }
}
