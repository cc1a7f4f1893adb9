import uPlot from 'uplot';
import type { PhaseMark } from '../../lab-history.ts';
import { clock, phaseName } from '../../numbers.ts';
import { cssVariable, seriesColour } from '../../palette.ts';
import type { ChartSpec } from './chart-specs.ts';
import type { ChartData } from './series.ts';

const HEIGHT = 172;
/** Seconds shown at least and at most. */
const WINDOW_MIN = 20;
const WINDOW_MAX = 75;
/** Names with values above a chart; with more series than this only the colours tell them apart. */
const LEGEND_MAX = 6;
/** All charts share one cursor. */
const CURSOR = uPlot.sync('live');

/** One live chart: a title, a legend whose values follow the cursor, and the lines. */
export class Chart {
  readonly element = document.createElement('figure');
  private readonly spec: ChartSpec;
  private readonly legend = document.createElement('ul');
  private readonly canvas = document.createElement('div');
  private plot: uPlot | undefined;
  private data: ChartData = { names: [], times: [], rows: [] };
  private marks: readonly PhaseMark[] = [];

  constructor(spec: ChartSpec) {
    this.spec = spec;
    this.element.className = 'chart';
    this.element.setAttribute('aria-label', `${spec.title}: ${spec.help}`);
    const caption = document.createElement('figcaption');
    const title = document.createElement('h2');
    title.textContent = spec.unit === '' ? spec.title : `${spec.title} `;
    title.title = spec.help;
    if (spec.unit !== '') {
      const unit = document.createElement('span');
      unit.className = 'unit';
      unit.textContent = spec.unit;
      title.append(unit);
    }
    caption.append(title, this.legend);
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', `Line chart of the last minutes: ${spec.help}`);
    this.element.append(caption, this.canvas);
    new ResizeObserver(() => this.plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT })).observe(this.canvas);
  }

  /** Shows `data`; another set of names makes new lines. */
  show(data: ChartData, marks: readonly PhaseMark[]): void {
    const sameLines = this.plot !== undefined && data.names.join('\n') === this.data.names.join('\n');
    this.data = data;
    this.marks = marks;
    if (!sameLines) this.rebuild();
    this.plot!.setData([data.times, ...data.rows] as uPlot.AlignedData, false);
    const last = data.times.at(-1) ?? 0;
    const span = Math.min(WINDOW_MAX, Math.max(WINDOW_MIN, last - (data.times[0] ?? last)));
    this.plot!.setScale('x', { min: last - span, max: last });
    this.tell();
  }

  /** Makes the plot anew, in the colours of the moment. */
  rebuild(): void {
    this.plot?.destroy();
    this.legend.replaceChildren(...this.data.names.slice(0, LEGEND_MAX).map((name, i) => legendItem(name, seriesColour(i))));
    this.legend.hidden = this.data.names.length > LEGEND_MAX;
    this.plot = new uPlot(this.options(), [this.data.times, ...this.data.rows] as uPlot.AlignedData, this.canvas);
  }

  private options(): uPlot.Options {
    const axis = {
      stroke: cssVariable('--muted'),
      grid: { stroke: cssVariable('--grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    return {
      width: Math.max(200, this.canvas.clientWidth),
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: CURSOR.key }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Number.isFinite(max) && max > 0 ? max * 1.12 : 1] } },
      axes: [
        { ...axis, space: 64, size: 26, values: (_plot, ticks) => ticks.map(clock) },
        {
          ...axis,
          size: 54,
          space: 34,
          incrs: [...this.spec.increments],
          values: (_plot, ticks) => ticks.map((tick) => this.spec.format(tick)),
        },
      ],
      series: [
        {},
        ...this.data.names.map((label, i) => ({ label, stroke: seriesColour(i), width: 1.75, points: { show: false }, spanGaps: false })),
      ],
      hooks: { setCursor: [() => this.tell()], draw: [(plot) => this.drawMarks(plot)] },
    };
  }

  /** Writes the values under the cursor, or else the newest, into the legend. */
  private tell(): void {
    const at = this.plot?.cursor.idx ?? this.data.times.length - 1;
    [...this.legend.children].forEach((item, i) => {
      const value = this.data.rows[i]?.[at];
      item.lastElementChild!.textContent = value === null || value === undefined ? '–' : this.spec.format(value);
    });
  }

  /** Phases of the first machine: a line where one began, named where there is room. */
  private drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${10 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = cssVariable('--muted');
    ctx.strokeStyle = cssVariable('--mark');
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'top';
    let free = -Infinity;
    for (const mark of this.marks) {
      const x = Math.round(plot.valToPos(mark.t, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const name = phaseName(mark.phase);
      const width = ctx.measureText(name).width;
      if (x < free || x + width > bbox.left + bbox.width) continue;
      ctx.fillText(name, x + 3 * ratio, bbox.top + 2 * ratio);
      free = x + width + 10 * ratio;
    }
    ctx.restore();
  }
}

function legendItem(name: string, colour: string): HTMLLIElement {
  const item = document.createElement('li');
  const swatch = document.createElement('i');
  swatch.style.background = colour;
  const label = document.createElement('span');
  label.textContent = name;
  const value = document.createElement('b');
  item.append(swatch, label, value);
  return item;
}
