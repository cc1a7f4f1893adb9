import uPlot from 'uplot';
import { clock } from '../numbers.ts';
import { cssVariable, seriesColour } from '../palette.ts';

const HEIGHT = 172;
/** Seconds shown at least. */
const WINDOW_MIN = 20;
/** Names with values above a chart; with more series than this only the colours tell them apart. */
const LEGEND_MAX = 24;
/** With more names than this, those whose value is zero are left out. */
const LEGEND_WHOLE = 6;
/** All charts share one cursor. */
const CURSOR = uPlot.sync('live');

/** What a chart is, apart from its values. */
export interface ChartFrame {
  readonly title: string;
  /** What it shows, for people who point at the title. */
  readonly help: string;
  readonly unit: string;
  format(value: number): string;
  /** Distances of grid lines to choose from. */
  readonly increments: readonly number[];
  /** Seconds shown at most. */
  readonly windowMax: number;
  /** Rows are drawn on top of each other, so that the uppermost line is their sum. */
  readonly stacked?: boolean;
  /** Largest value that can be. */
  readonly max?: number;
  /** Values at which a dashed line is drawn, each with the CSS variable of its colour. */
  readonly lines?: readonly { readonly value: number; readonly colour: string }[];
}

/** What a chart draws: times in seconds, then one row of values for each name. */
export interface ChartData {
  readonly names: readonly string[];
  readonly times: readonly number[];
  readonly rows: readonly (readonly (number | null)[])[];
}

/** A moment with a name. */
export interface ChartMark {
  /** Wall time, seconds. */
  readonly t: number;
  readonly text: string;
  /** CSS variable of its colour; absent = like an axis. */
  readonly colour?: string;
}

/** One live chart: a title, a legend whose values follow the cursor, and the lines. */
export class Chart {
  readonly element = document.createElement('figure');
  private readonly spec: ChartFrame;
  private readonly legend = document.createElement('ul');
  private readonly canvas = document.createElement('div');
  private plot: uPlot | undefined;
  private data: ChartData = { names: [], times: [], rows: [] };
  private marks: readonly ChartMark[] = [];

  constructor(spec: ChartFrame) {
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
  show(data: ChartData, marks: readonly ChartMark[]): void {
    const sameLines = this.plot !== undefined && data.names.join('\n') === this.data.names.join('\n');
    this.data = data;
    this.marks = marks;
    if (!sameLines) this.rebuild();
    this.plot!.setData(this.aligned(), false);
    const last = data.times.at(-1) ?? 0;
    const span = Math.min(this.spec.windowMax, Math.max(WINDOW_MIN, last - (data.times[0] ?? last)));
    this.plot!.setScale('x', { min: last - span, max: last });
    this.tell();
  }

  /** Makes the plot anew, in the colours of the moment. */
  rebuild(): void {
    this.plot?.destroy();
    this.legend.replaceChildren(...this.data.names.slice(0, LEGEND_MAX).map((name, i) => legendItem(name, seriesColour(i))));
    this.legend.hidden = this.data.names.length > LEGEND_MAX;
    if (this.data.names.length === 0) this.legend.append(noData());
    this.plot = new uPlot(this.options(), this.aligned(), this.canvas);
  }

  private aligned(): uPlot.AlignedData {
    const { times, rows } = this.data;
    return [times, ...(this.spec.stacked === true ? stack(rows) : rows)] as uPlot.AlignedData;
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
      scales: {
        x: { time: true },
        y: { range: (_plot, _min, max) => [0, this.spec.max ?? (Number.isFinite(max) && max > 0 ? max * 1.12 : 1)] },
      },
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
        ...this.data.names.map((label, i) => ({
          label,
          stroke: seriesColour(i),
          width: 1.75,
          points: { show: false },
          spanGaps: false,
          ...(this.spec.stacked === true && i === this.data.names.length - 1 ? { fill: `${seriesColour(i)}33` } : {}),
        })),
      ],
      bands:
        this.spec.stacked === true
          ? this.data.names.slice(1).map((_, i) => ({ series: [i + 1, i + 2] as [number, number], fill: `${seriesColour(i)}33` }))
          : [],
      hooks: { setCursor: [() => this.tell()], draw: [(plot) => this.drawLines(plot), (plot) => this.drawMarks(plot)] },
    };
  }

  /** Writes the values under the cursor, or else the newest, into the legend. */
  private tell(): void {
    const at = this.plot?.cursor.idx ?? this.data.times.length - 1;
    this.legend.querySelectorAll('b').forEach((item, i) => {
      const value = this.data.rows[i]?.[at];
      item.textContent = value === null || value === undefined ? '–' : this.spec.format(value);
      item.parentElement!.hidden = this.data.names.length > LEGEND_WHOLE && !value;
    });
  }

  private drawLines(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    for (const { value, colour } of this.spec.lines ?? []) {
      const y = Math.round(plot.valToPos(value, 'y', true));
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = cssVariable(colour);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** A line at each mark, named where there is room. */
  private drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${10 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = cssVariable('--muted');
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'top';
    let free = -Infinity;
    for (const mark of this.marks) {
      const x = Math.round(plot.valToPos(mark.t, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = cssVariable(mark.colour ?? '--mark');
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(mark.text).width;
      if (x < free || x + width > bbox.left + bbox.width) continue;
      ctx.fillText(mark.text, x + 3 * ratio, bbox.top + 2 * ratio);
      free = x + width + 10 * ratio;
    }
    ctx.restore();
  }
}

function noData(): HTMLLIElement {
  const item = document.createElement('li');
  item.className = 'no-data';
  item.textContent = 'no data';
  return item;
}

/** Each row with all rows after it added: the first is the sum of all. */
function stack(rows: ChartData['rows']): (number | null)[][] {
  const sums: (number | null)[][] = rows.map((row) => [...row]);
  for (let k = rows.length - 2; k >= 0; k -= 1) {
    const below = sums[k + 1]!;
    sums[k] = rows[k]!.map((value, i) => {
      const under = below[i] ?? null;
      return value === null ? under : value + (under ?? 0);
    });
  }
  return sums;
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
