import type { EventWindow, SpanKind } from '../../../log/answers.ts';
import { cssVariable } from '../../palette.ts';
import { KIND_GROUPS, kindGroup } from './kind-groups.ts';
import type { LogSession } from './log-session.ts';
import { FittedCanvas, make, moveMark, panel, setText } from './make-element.ts';

const LANE = 17;
const NAMES = 92;
const TABLES_MAX = 10;
const EVENTS_MIN = 40;
const EVENTS_MAX = 2000;
/** The reader is kept this share of the lanes away from their ends: they stand still until one comes nearer. */
const MARGIN = 1 / 8;
/** Where a span lies in its actor’s lane, top and height as shares, and its colour. */
const SPANS: Readonly<Record<SpanKind, readonly [top: number, height: number, colour: string]>> = {
  operation: [0, 1, '--grid'],
  fault: [0, 1, '--grid'],
  reclaim: [0, 1, '--grid'],
  walk: [0.1, 0.8, '--wait-back'],
  section: [0.82, 0.18, '--series-3'],
  lock: [0, 0.18, '--series-5'],
  wait: [0, 0.18, '--bad'],
};

/**
 * The events around the reader, one lane for each actor and for each table they touch. The lanes stand still while the reader goes through
 * them, and turn to the next ones when the reader comes to an end.
 */
export class Lanes {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly canvas: FittedCanvas;
  private readonly reader: HTMLElement;
  private readonly tip = make('p', 'note');
  private window: EventWindow | undefined;
  private readonly heard = new Set<(window: EventWindow) => void>();
  private shown = 160;
  private rows = 6;
  private asking = false;
  /** Where the reader stood when the lanes turned to these events. */
  private middle = -1;
  private range = { from: 0, to: 0 };
  /** Tables with a lane, by number. */
  private tables: readonly number[] = [];

  constructor(session: LogSession) {
    this.session = session;
    const { element, heading } = panel('Lanes', 'lanes');
    this.element = element;
    const legend = make('span', 'legend');
    for (const { name, colour } of KIND_GROUPS) {
      const item = make('span');
      const swatch = make('i');
      swatch.style.background = `var(${colour})`;
      item.append(swatch, name);
      legend.append(item);
    }
    legend.append(make('span', '', 'above a lane: holds the lock, or waits for it (red); below: in a read-side section'));
    heading.append(legend);
    this.canvas = new FittedCanvas(LANE * 12, () => this.draw());
    this.reader = this.canvas.addMark('reader');
    this.canvas.element.setAttribute('role', 'img');
    this.canvas.element.setAttribute('aria-label', 'Events around this one, by actor and by table');
    this.canvas.element.addEventListener('click', (event) => session.goTo(this.seqAt(event)));
    this.canvas.element.addEventListener('pointermove', (event) => this.describe(this.seqAt(event)));
    this.canvas.element.addEventListener('pointerleave', () => this.tip.replaceChildren());
    this.canvas.element.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8);
      },
      { passive: false },
    );
    element.append(this.canvas.place, this.tip);
    session.listen((news) => {
      if (news === 'machine') {
        this.window = undefined;
        this.middle = -1;
      }
      if (news === 'moment') this.follow();
      if (news === 'choice') this.draw();
    });
  }

  /** Calls `listener` with every window that is loaded. */
  listen(listener: (window: EventWindow) => void): void {
    this.heard.add(listener);
  }

  /** Shows so many times the events. */
  zoom(factor: number): void {
    this.shown = Math.round(Math.max(EVENTS_MIN, Math.min(EVENTS_MAX, this.shown * factor)));
    this.turn();
  }

  /** Goes with the reader: turns to other events where these do not do, and loads what is not there. */
  private follow(): void {
    const { from, to } = this.range;
    const { seq, last, moment } = this.session;
    const margin = this.shown * MARGIN;
    const early = seq < from + margin && from > 0;
    const late = seq >= to - margin && to <= last;
    const touched = moment?.seq === seq ? (this.window?.table[seq - this.window.from] ?? -1) : -1;
    if (this.middle < 0 || early || late || (touched >= 0 && !this.tables.includes(touched))) this.turn();
    else this.showReader();
  }

  /** Turns to the events around the reader, who stands in the middle but at the ends of the log. */
  private turn(): void {
    const { seq, last } = this.session;
    const from = Math.max(0, Math.min(seq - (this.shown >> 1), last + 1 - this.shown));
    const to = from + this.shown;
    this.middle = seq;
    this.range = { from, to };
    const { window } = this;
    const there = window !== undefined && window.from <= from && window.from + window.kind.length >= Math.min(to, last + 1);
    if (window !== undefined) this.tables = this.tablesShown(window);
    this.draw();
    if (!there && !this.asking) void this.load(from, to);
  }

  private async load(from: number, to: number): Promise<void> {
    const { session, shown } = this;
    const { machine, run } = session.which;
    this.asking = true;
    try {
      const window = await session.ask('window', { machine, run, from: Math.max(0, from - (shown >> 1)), to: to + (shown >> 1) });
      if (machine !== session.which.machine || run !== session.which.run) return;
      this.window = window;
      for (const listener of this.heard) listener(window);
    } catch (error) {
      session.complain((error as Error).message);
      return;
    } finally {
      this.asking = false;
    }
    this.turn();
  }

  /** Draws the lanes anew, in the colours of the moment. */
  draw(): void {
    const { canvas, window, tables } = this;
    if (window === undefined) return;
    const rows = window.actors.length + tables.length;
    this.rows = Math.max(this.rows, rows); // it grows only: another height lays out the page
    const wanted = `${this.rows * LANE}px`;
    if (canvas.element.style.height !== wanted) {
      canvas.element.style.height = wanted; // its observer draws
      return;
    }
    const context = canvas.begin();
    const names = [...window.actors, ...tables.map((table) => `table ${table}`)];
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    names.forEach((name, row) => {
      context.fillStyle = cssVariable(row % 2 === 0 ? '--card' : '--page');
      context.fillRect(NAMES, row * LANE, canvas.width - NAMES, LANE);
      context.fillStyle = cssVariable(row === this.session.actor ? '--accent' : '--muted');
      context.fillText(name, 0, row * LANE + LANE / 2);
    });
    context.save();
    context.beginPath();
    context.rect(NAMES, 0, canvas.width - NAMES, canvas.height);
    context.clip();
    this.drawSpans(context, window);
    this.drawEvents(context, window, tables);
    this.drawProof(context);
    context.restore();
    this.showReader();
  }

  private drawSpans(context: CanvasRenderingContext2D, window: EventWindow): void {
    for (const kind of Object.keys(SPANS) as SpanKind[]) {
      const [top, height, colour] = SPANS[kind];
      context.fillStyle = cssVariable(colour);
      for (const span of window.spans) {
        if (span.kind !== kind) continue;
        const x = this.xOf(span.from);
        context.fillRect(x, span.actor * LANE + top * LANE, Math.max(1, this.xOf(span.to) - x), Math.max(2, height * LANE - 1));
      }
    }
  }

  private drawEvents(context: CanvasRenderingContext2D, window: EventWindow, tables: readonly number[]): void {
    const { from, to } = this.range;
    const wide = Math.max(1.5, Math.min(7, (this.xOf(1) - this.xOf(0)) * 0.7));
    const colours = KIND_GROUPS.map(({ colour }) => cssVariable(colour));
    const end = Math.min(window.kind.length, to - window.from);
    for (let i = Math.max(0, from - window.from); i < end; i += 1) {
      const x = this.xOf(window.from + i) - wide / 2;
      context.fillStyle = colours[kindGroup(window.kind[i]!)]!;
      context.fillRect(x, window.actor[i]! * LANE + 4, wide, LANE - 8);
      const lane = tables.indexOf(window.table[i]!);
      if (lane >= 0) context.fillRect(x, (window.actors.length + lane) * LANE + 4, wide, LANE - 8);
    }
  }

  /** The events of the proof that is looked at. */
  private drawProof(context: CanvasRenderingContext2D): void {
    const { session, canvas } = this;
    const violation = session.violation === undefined ? undefined : session.about.violations[session.violation];
    context.fillStyle = cssVariable('--bad');
    for (const { seq } of violation?.witness ?? []) if (seq >= 0) context.fillRect(this.xOf(seq) - 0.5, 0, 1, canvas.height);
  }

  private showReader(): void {
    moveMark(this.reader, this.xOf(this.session.seq) - 1);
  }

  /** The tables touched nearest to the middle, by number. */
  private tablesShown(window: EventWindow): number[] {
    const { from, to } = this.range;
    const nearest = new Map<number, number>();
    const end = Math.min(window.table.length, to - window.from);
    for (let i = Math.max(0, from - window.from); i < end; i += 1) {
      const table = window.table[i]!;
      const away = Math.abs(window.from + i - this.middle);
      if (table >= 0 && away < (nearest.get(table) ?? Infinity)) nearest.set(table, away);
    }
    return [...nearest]
      .toSorted(([, a], [, b]) => a - b)
      .slice(0, TABLES_MAX)
      .map(([table]) => table)
      .toSorted((a, b) => a - b);
  }

  private describe(seq: number): void {
    const { window } = this;
    const i = window === undefined ? -1 : seq - window.from;
    const text = window?.text[i];
    setText(
      this.tip,
      text === undefined ? '' : `event ${seq}, ${window!.actors[window!.actor[i]!] ?? `actor ${window!.actor[i]}`}: ${text}`,
    );
  }

  private xOf(seq: number): number {
    const { from, to } = this.range;
    return NAMES + ((seq + 0.5 - from) / (to - from)) * (this.canvas.width - NAMES);
  }

  private seqAt(event: MouseEvent): number {
    const { from, to } = this.range;
    const { left } = this.canvas.element.getBoundingClientRect();
    return Math.floor(from + ((event.clientX - left - NAMES) / (this.canvas.width - NAMES)) * (to - from));
  }
}
