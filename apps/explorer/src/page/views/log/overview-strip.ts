import type { Overview, OverviewField } from '@s2lab/survey';
import { duration, phaseName, short } from '../../numbers.ts';
import { cssVariable } from '../../palette.ts';
import type { LogSession } from './log-session.ts';
import { FittedCanvas, make, moveMark, panel, setAttribute } from './make-element.ts';

const HEIGHT = 104;
const TOP = 16;
const BOTTOM = 16;

interface Layer {
  readonly field: OverviewField;
  readonly name: string;
  readonly colour: string;
}

/** What is drawn of each bucket, back to front. */
const LAYERS: readonly Layer[] = [
  { field: 'faults', name: 'faults', colour: '--series-8' },
  { field: 'pending', name: 'pending frees (most at once)', colour: '--series-2' },
  { field: 'collapses', name: 'collapses', colour: '--series-3' },
  { field: 'violations', name: 'violations', colour: '--bad' },
];

/** The whole log of a machine on one strip: what happened where, and where the reader stands. A click or a drag goes there. */
export class OverviewStrip {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly canvas: FittedCanvas;
  private readonly reader: HTMLElement;
  private readonly tip = make('p', 'note');
  private overview: Overview | null = null;
  private dragging = false;

  constructor(session: LogSession) {
    this.session = session;
    const { element, heading } = panel('Time line', 'strip');
    this.element = element;
    heading.append(legend());
    this.canvas = new FittedCanvas(HEIGHT, () => this.draw());
    this.reader = this.canvas.addMark('reader');
    this.reader.style.height = `${HEIGHT - BOTTOM + 4}px`;
    this.canvas.element.setAttribute('role', 'slider');
    this.canvas.element.setAttribute('aria-label', 'Event');
    this.canvas.element.tabIndex = 0;
    this.canvas.element.addEventListener('pointerdown', (event) => {
      this.dragging = true;
      this.canvas.element.setPointerCapture(event.pointerId);
      this.session.pause();
      this.session.goTo(this.seqAt(event));
    });
    this.canvas.element.addEventListener('pointermove', (event) => {
      this.describe(this.seqAt(event));
      if (this.dragging) this.session.goTo(this.seqAt(event));
    });
    this.canvas.element.addEventListener('pointerup', () => (this.dragging = false));
    this.canvas.element.addEventListener('pointerleave', () => this.tip.replaceChildren());
    this.tip.setAttribute('aria-hidden', 'true');
    element.append(this.canvas.place, this.tip);
    session.listen((news) => {
      if (news === 'moment') this.showReader();
      if (news === 'machine' || news === 'about') void this.load();
    });
    void this.load();
  }

  /** Draws the strip anew, in the colours of the moment. */
  draw(): void {
    const context = this.canvas.begin();
    this.drawUnsurveyed(context);
    for (const layer of LAYERS) this.drawLayer(context, layer);
    this.drawAxis(context);
    this.showReader();
  }

  private showReader(): void {
    const { canvas, session } = this;
    moveMark(this.reader, this.xOf(session.seq) - 1);
    setAttribute(canvas.element, 'aria-valuemin', '0');
    setAttribute(canvas.element, 'aria-valuemax', String(session.last));
    setAttribute(canvas.element, 'aria-valuenow', String(session.seq));
  }

  private async load(): Promise<void> {
    const { session } = this;
    const machine = session.machine;
    try {
      const overview = await session.ask('overview', session.which);
      if (machine.machine !== session.machine.machine || machine.run !== session.machine.run) return;
      this.overview = overview;
      this.draw();
    } catch (error) {
      session.complain((error as Error).message);
    }
  }

  private drawLayer(context: CanvasRenderingContext2D, { field, colour }: Layer): void {
    const { overview } = this;
    if (overview === null) return;
    const values = overview[field];
    const most = Math.max(1, ...values);
    const height = HEIGHT - TOP - BOTTOM;
    context.fillStyle = cssVariable(colour);
    context.globalAlpha = field === 'faults' ? 0.3 : field === 'pending' ? 0.75 : 1;
    const columns = new Map<number, number>();
    values.forEach((value, bucket) => {
      const x = Math.floor(this.xOf(bucket * overview.width));
      if (value > 0) columns.set(x, Math.max(columns.get(x) ?? 0, value));
    });
    const wide = Math.max(field === 'violations' ? 2 : 1, Math.ceil(this.xOf(overview.width) - this.xOf(0)));
    for (const [x, value] of columns) {
      if (field === 'violations') context.fillRect(x, TOP, wide, height);
      else if (field === 'collapses') context.fillRect(x, TOP, wide, 8);
      else {
        const tall = Math.max(1, (value / most) * (height - 10));
        context.fillRect(x, HEIGHT - BOTTOM - tall, wide, tall);
      }
    }
    context.globalAlpha = 1;
  }

  /** The part that the survey has not come to yet. */
  private drawUnsurveyed(context: CanvasRenderingContext2D): void {
    const { overview, session } = this;
    const known = overview === null ? 0 : overview.at.length * overview.width;
    if (known > session.last) return;
    const x = this.xOf(known);
    context.fillStyle = cssVariable('--wait-back');
    context.fillRect(x, TOP, this.canvas.width - x, HEIGHT - TOP - BOTTOM);
  }

  private drawAxis(context: CanvasRenderingContext2D): void {
    const { session, overview } = this;
    const width = this.canvas.width;
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.fillStyle = cssVariable('--muted');
    context.textAlign = 'center';
    const step = niceStep(session.last / Math.max(1, width / 120));
    for (let seq = 0; seq <= session.last; seq += step) {
      const x = this.xOf(seq);
      context.fillRect(x, HEIGHT - BOTTOM, 1, 4);
      context.fillText(short(seq), Math.min(width - 20, Math.max(6, x)), HEIGHT - 6);
    }
    context.textAlign = 'left';
    let free = 0;
    for (const { seq, phase } of overview?.phases ?? []) {
      const x = this.xOf(seq);
      context.fillStyle = cssVariable('--mark');
      context.fillRect(x, 0, 1, HEIGHT - BOTTOM);
      const name = phaseName(phase);
      if (x < free || x + context.measureText(name).width > this.canvas.width) continue;
      context.fillStyle = cssVariable('--muted');
      context.fillText(name, x + 3, TOP / 2);
      free = x + context.measureText(name).width + 12;
    }
  }

  private describe(seq: number): void {
    const { overview } = this;
    if (overview === null) return;
    const bucket = Math.floor(seq / overview.width);
    const at = overview.at[bucket];
    if (at === undefined) return;
    const counts = LAYERS.map(({ field, name }) => `${name} ${overview[field][bucket]!}`).join(', ');
    this.tip.textContent = `events ${(bucket * overview.width).toLocaleString('en')} and ${overview.width - 1} more, from ${duration(at)}: ${counts}, tables ${overview.tables[bucket]!}`;
  }

  private xOf(seq: number): number {
    return (seq / Math.max(1, this.session.last)) * (this.canvas.width - 2);
  }

  private seqAt(event: PointerEvent): number {
    const { left, width } = this.canvas.element.getBoundingClientRect();
    return Math.round(Math.max(0, Math.min(1, (event.clientX - left) / (width - 2))) * this.session.last);
  }
}

function legend(): HTMLElement {
  const list = make('span', 'legend');
  for (const { name, colour } of LAYERS) {
    const swatch = make('i');
    swatch.style.background = `var(${colour})`;
    const item = make('span');
    item.append(swatch, name);
    list.append(item);
  }
  return list;
}

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? 10 * power;
}
