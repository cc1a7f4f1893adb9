import type { HeatMapPanel } from '@s2lab/dashboards';
import { clock } from '../../numbers.ts';
import { cssVariable } from '../../palette.ts';
import type { Bucket } from './buckets.ts';
import { bucketsOf } from './buckets.ts';
import type { Choice, Samples } from './evaluate.ts';
import { curvesOf } from './evaluate.ts';
import type { ShownPanel } from './shown-panel.ts';
import { UNITS } from './units.ts';

const HEIGHT = 172;
/** Room for the names of the buckets, and for the clock below. */
const LEFT = 64;
const BELOW = 20;
/** Seconds of a column. */
const COLUMN = 5;

/** How often values fell into each bucket of a histogram: time across, buckets upwards, the more the stronger. */
export class HeatMap implements ShownPanel {
  readonly element = document.createElement('figure');
  private readonly panel: HeatMapPanel;
  private readonly canvas = document.createElement('canvas');
  private readonly most = document.createElement('span');
  private redraw: (() => void) | undefined;

  constructor(panel: HeatMapPanel) {
    this.panel = panel;
    this.element.className = 'chart';
    this.element.setAttribute('aria-label', `${panel.title}: ${panel.description}`);
    const caption = document.createElement('figcaption');
    const heading = document.createElement('h2');
    heading.textContent = panel.title;
    heading.title = panel.description;
    this.most.className = 'unit';
    caption.append(heading, this.most);
    this.canvas.className = 'heat';
    this.element.append(caption, this.canvas);
    new ResizeObserver(() => this.rebuild()).observe(this.element);
  }

  show(samples: Samples, choice: Choice): void {
    const [query] = this.panel.queries;
    const buckets = bucketsOf(curvesOf(query!.query, samples, choice));
    this.redraw = () => this.draw(buckets, samples);
    this.redraw();
  }

  rebuild(): void {
    this.redraw?.();
  }

  private draw(buckets: readonly Bucket[], { rows }: Samples): void {
    const ratio = devicePixelRatio;
    const width = this.element.clientWidth - 28;
    this.canvas.width = Math.max(1, width * ratio);
    this.canvas.height = HEIGHT * ratio;
    const ctx = this.canvas.getContext('2d')!;
    ctx.scale(ratio, ratio);
    ctx.font = '11px system-ui, sans-serif';
    const columns: number[] = [];
    for (let i = rows.length - 1; i >= COLUMN; i -= COLUMN) columns.unshift(i);
    const cells = columns.map((i) => buckets.map(({ at }) => at(i)));
    const most = Math.max(0, ...cells.flat());
    this.most.textContent = most > 0 ? `strongest: ${UNITS.cps.format(most)}` : 'nothing yet';
    const wide = (width - LEFT) / Math.max(12, columns.length);
    const high = (HEIGHT - BELOW) / Math.max(1, buckets.length);
    ctx.fillStyle = cssVariable('--accent');
    cells.forEach((cell, c) =>
      cell.forEach((value, b) => {
        if (value === 0) return;
        ctx.globalAlpha = 0.15 + 0.85 * Math.sqrt(value / most); // rare values are seen too
        ctx.fillRect(LEFT + c * wide, HEIGHT - BELOW - (b + 1) * high, wide - 1, high - 1);
      }),
    );
    ctx.globalAlpha = 1;
    this.name(ctx, buckets, high);
    ctx.fillText(clock(rows[columns[0] ?? 0]?.t ?? 0), LEFT, HEIGHT - 6);
  }

  private name(ctx: CanvasRenderingContext2D, buckets: readonly Bucket[], high: number): void {
    const { format } = UNITS[this.panel.unit];
    ctx.fillStyle = cssVariable('--muted');
    buckets.forEach(({ from, to }, b) => {
      const text = to === Infinity ? `> ${format(from)}` : `≤ ${format(to)}`;
      if (b % 2 === 0) ctx.fillText(text, 0, HEIGHT - BELOW - b * high - high / 2 + 4);
    });
  }
}
