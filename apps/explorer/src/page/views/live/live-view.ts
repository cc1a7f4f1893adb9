import type { Grouping, LabHistory } from '../../lab-history.ts';
import { Chart } from '../../charts/chart.ts';
import { phaseName } from '../../numbers.ts';
import { onSchemeChange } from '../../palette.ts';
import { CHARTS, LIVE_WINDOW } from './chart-specs.ts';
import { MachineTable } from './machine-table.ts';
import { chartData } from './series.ts';
import { ViolationList } from './violation-list.ts';

/** The live view: charts that move, the machines, the latest violations. */
export class LiveView {
  private readonly history: LabHistory;
  private readonly charts = CHARTS.map((spec) => ({ spec, chart: new Chart({ ...spec, windowMax: LIVE_WINDOW }) }));
  private readonly machines = new MachineTable();
  private readonly violations = new ViolationList();
  private grouping: Grouping = 'policy';
  private paused = false;

  constructor(root: HTMLElement, history: LabHistory) {
    this.history = history;
    const grid = document.createElement('div');
    grid.className = 'charts';
    grid.append(...this.charts.map(({ chart }) => chart.element));
    root.append(this.toolbar(), grid, this.machines.element, this.violations.element);
    onSchemeChange(() => {
      for (const { chart } of this.charts) chart.rebuild();
    });
  }

  /** Draws what arrived, unless the reader has paused the view. */
  refresh(): void {
    const latest = this.history.latest();
    if (this.paused || latest === undefined) return;
    const samples = this.history.by(this.grouping);
    const groups = [...new Set(samples.at(-1)!.groups.keys())].toSorted(byNumber);
    const marks = this.history.phaseMarks().map(({ t, phase }) => ({ t, text: phaseName(phase) }));
    for (const { spec, chart } of this.charts) chart.show(chartData(spec, samples, groups), marks);
    this.machines.show(latest.machines, this.history.by('machine'));
    this.violations.show(latest);
  }

  private toolbar(): HTMLElement {
    const bar = document.createElement('div');
    bar.className = 'toolbar';
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
    const note = document.createElement('p');
    note.className = 'note';
    note.textContent = 'Dashed lines: phases of the first machine. Rates are per wall second.';
    bar.append(this.groupingChoice(), note, pause);
    return bar;
  }

  private groupingChoice(): HTMLElement {
    const set = document.createElement('fieldset');
    set.className = 'choice';
    const legend = document.createElement('legend');
    legend.textContent = 'One line per';
    set.append(legend);
    for (const grouping of ['policy', 'machine'] as const) {
      const label = document.createElement('label');
      const input = document.createElement('input');
      input.type = 'radio';
      input.name = 'grouping';
      input.value = grouping;
      input.checked = grouping === this.grouping;
      input.addEventListener('change', () => {
        this.grouping = grouping;
        this.refresh();
      });
      const text = document.createElement('span');
      text.textContent = grouping;
      label.append(input, text);
      set.append(label);
    }
    return set;
  }
}

/** Machine 10 after machine 9. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
