import type { Overview, OverviewField } from '@s2lab/survey';
import { duration, phaseName, short } from '../../numbers.ts';
import { cssVariable } from '../../palette.ts';
import type { LogSession } from './log-session.ts';
import { FittedCanvas, make, moveMark, panel, setAttribute } from './make-element.ts';

const HEIGHT = 104;
const TOP = 16;
const BOTTOM = 16;
/** Fewest events that the strip shows, and how many times fewer one notch of the wheel shows. */
const EVENTS_MIN = 200;
const CLOSER = 1.3;

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

/**
 * The whole log of a machine on one strip: what happened where, and where the reader stands. A click or a drag goes there. A wheel shows a
 * part of it, so that one can point at single events of a long log; sideways or with Shift it moves that part; a double click shows all.
 */
export class OverviewStrip {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly canvas: FittedCanvas;
  private readonly reader: HTMLElement;
  private readonly tip = make('p', 'note');
  private overview: Overview | null = null;
  private dragging = false;
  /** Events that are shown; undefined = all, as many as there will be. */
  private part: { readonly from: number; readonly to: number } | undefined;

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
    this.canvas.element.addEventListener('wheel', (event) => this.turnWheel(event), { passive: false });
    this.canvas.element.addEventListener('dblclick', () => this.showPart(0, Infinity));
    this.tip.setAttribute('aria-hidden', 'true');
    element.append(this.canvas.place, this.tip);
    session.listen((news) => {
      if (news === 'moment') this.showReader();
      if (news === 'machine') this.part = undefined;
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

  private turnWheel(event: WheelEvent): void {
    event.preventDefault();
    const { from, to } = this.shown;
    const aside = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(aside) >= Math.abs(event.deltaY) || event.shiftKey) {
      const by = (aside / this.canvas.width) * (to - from);
      this.showPart(from + by, to + by);
      return;
    }
    const factor = event.deltaY < 0 ? CLOSER : 1 / CLOSER;
    const still = this.eventAt(event);
    this.showPart(still - (still - from) / factor, still + (to - still) / factor);
  }

  /** Shows the events from one to another, moved into the log; all of it when they are as many. */
  private showPart(from: number, to: number): void {
    const { last } = this.session;
    const count = Math.max(EVENTS_MIN, to - from);
    const first = Math.max(0, Math.min(from, last - count));
    this.part = count >= last ? undefined : { from: first, to: first + count };
    this.draw();
  }

  /** The first and the last event on the strip, not rounded. */
  private get shown(): { readonly from: number; readonly to: number } {
    return this.part ?? { from: 0, to: Math.max(1, this.session.last) };
  }

  /** Marks where the reader stands; a part without the reader gives way to the one around. */
  private showReader(): void {
    const { canvas, session } = this;
    const { from, to } = this.shown;
    if (this.part !== undefined && (session.seq < from || session.seq > to)) {
      this.showPart(session.seq - (to - from) / 2, session.seq + (to - from) / 2);
      return;
    }
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
    const wide = Math.max(field === 'violations' ? 2 : 1, Math.ceil(this.xOf(overview.width) - this.xOf(0)));
    const columns = new Map<number, number>();
    values.forEach((value, bucket) => {
      const x = Math.floor(this.xOf(bucket * overview.width));
      if (value > 0 && x > -wide && x < this.canvas.width) columns.set(x, Math.max(columns.get(x) ?? 0, value));
    });
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
    const x = Math.max(0, this.xOf(known));
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
    const { from, to } = this.shown;
    const step = niceStep((to - from) / Math.max(1, width / 120));
    const name = this.part === undefined ? short : (seq: number): string => seq.toLocaleString('en');
    for (let seq = Math.ceil(from / step) * step; seq <= Math.min(to, session.last); seq += step) {
      const x = this.xOf(seq);
      context.fillRect(x, HEIGHT - BOTTOM, 1, 4);
      context.fillText(name(seq), Math.min(width - 20, Math.max(6, x)), HEIGHT - 6);
    }
    context.textAlign = 'left';
    let free = 0;
    const phases = overview?.phases ?? [];
    const current = phases.findLast(({ seq }) => seq <= from);
    for (const { seq, phase } of phases.filter((one) => one === current || (one.seq > from && one.seq < to))) {
      const x = Math.max(0, this.xOf(seq));
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
    const { from, to } = this.shown;
    return ((seq - from) / (to - from)) * (this.canvas.width - 2);
  }

  private seqAt(event: MouseEvent): number {
    return Math.round(Math.max(0, Math.min(this.session.last, this.eventAt(event))));
  }

  /** The place under the pointer, events, not rounded. */
  private eventAt(event: MouseEvent): number {
    const { from, to } = this.shown;
    const { left, width } = this.canvas.element.getBoundingClientRect();
    return from + Math.max(0, Math.min(1, (event.clientX - left) / (width - 2))) * (to - from);
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
