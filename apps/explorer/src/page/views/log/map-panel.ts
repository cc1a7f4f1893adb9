import type { MapHit, MapPalette, MapView, Stage2State } from '@s2lab/stage2-map';
import {
  DARK_PALETTE,
  drawStage2Map,
  fitView,
  hitTest,
  LIGHT_PALETTE,
  mapBands,
  mapLegend,
  panView,
  shapeOf,
  xOf,
  zoomView,
} from '@s2lab/stage2-map';
import { spanBytes } from '@s2lab/arch';
import type { LogSession } from './log-session.ts';
import { button, FittedCanvas, make, moveMark, panel, setText } from './make-element.ts';

const HEIGHT = 240;
/** How many times closer one notch of the wheel, or one key, brings the map. */
const CLOSER = 1.3;
/** Share of the map that a key moves it by. */
const ASIDE = 0.25;

/**
 * The stage-2 as a map: a wheel zooms, a drag moves, a click chooses the slot under the pointer. With the keyboard on it: + and -, Shift with
 * ← and →, 0 for all of it.
 */
export class MapPanel {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly canvas: FittedCanvas;
  /** The slot that this step wrote. */
  private readonly written: HTMLElement;
  private readonly legend = make('span', 'legend');
  private readonly tip = make('p', 'note under');
  private readonly choice = make('select');
  private vmid: number | null = null;
  private explained: MapPalette | undefined;
  private state: Stage2State | undefined;
  private view: MapView | undefined;
  /** The whole map is on its way, and will be fitted. */
  private fitting = false;
  private pointer: { readonly x: number; readonly y: number } | undefined;
  private hover: MapHit | undefined;
  private pressed: { readonly x: number; moved: boolean; last: number } | undefined;
  private settled: ReturnType<typeof setTimeout> | undefined;

  constructor(session: LogSession) {
    this.session = session;
    const { element, heading } = panel('Stage-2', 'map');
    this.element = element;
    heading.append(
      this.legend,
      button('fit', 'Show all of the map', () => this.fit()),
    );
    this.canvas = new FittedCanvas(HEIGHT, () => this.draw());
    this.written = this.canvas.addMark('written');
    this.canvas.element.setAttribute('role', 'img');
    this.canvas.element.setAttribute('aria-label', 'Map of the stage-2: input addresses across, levels down');
    this.canvas.element.tabIndex = 0;
    this.listenToPointer();
    this.listenToKeys();
    element.append(this.canvas.place, this.tip);
    this.tip.textContent = ' ';
    session.listen((news) => {
      if (news === 'machine') this.view = undefined;
      if (news === 'moment') this.show();
    });
  }

  /** Draws the map anew, in the colours of the moment. */
  draw(): void {
    const { canvas, state } = this;
    if (state === undefined || canvas.width === 0) return;
    this.view ??= fitView(state, canvas.width, HEIGHT);
    this.view = { ...this.view, width: canvas.width, height: HEIGHT };
    this.point();
    const palette = matchMedia('(prefers-color-scheme: dark)').matches ? DARK_PALETTE : LIGHT_PALETTE;
    const context = canvas.begin();
    drawStage2Map(context, state, this.view, { palette, ratio: devicePixelRatio, fontFamily: 'system-ui, sans-serif', hover: this.hover });
    this.frameWritten();
    this.explain(palette);
  }

  /** Says what the colours mean, when they change. */
  private explain(palette: MapPalette): void {
    if (this.explained === palette) return;
    this.explained = palette;
    this.legend.replaceChildren(
      ...mapLegend(palette).map(({ text, colour }) => {
        const item = make('span');
        const swatch = make('i');
        swatch.style.background = colour;
        item.append(swatch, text);
        return item;
      }),
    );
  }

  private show(): void {
    const { moment, map } = this.session;
    if (moment === undefined || map === undefined) return;
    const before = this.state;
    const other = before?.shape === undefined || moment.vmid !== this.vmid;
    this.vmid = moment.vmid;
    this.state = map;
    if (other) this.view = undefined; // what was fitted had no stage-2, or is another
    if (this.fitting && map.from === 0) {
      this.view = undefined;
      this.fitting = false;
    }
    this.fillChoice(moment.stage2s);
    if (!other && this.view !== undefined && looksTheSame(before, map)) {
      this.point();
      this.frameWritten();
    } else this.draw();
  }

  private fillChoice(vmids: readonly number[]): void {
    const { choice, session } = this;
    choice.hidden = vmids.length < 2;
    if (choice.dataset['vmids'] !== vmids.join()) {
      choice.dataset['vmids'] = vmids.join();
      choice.replaceChildren(new Option('of the event', ''), ...vmids.map((vmid) => new Option(`VMID ${vmid}`, String(vmid))));
    }
    choice.value = session.vmid === undefined ? '' : String(session.vmid);
  }

  private frameWritten(): void {
    const { state, view, written } = this;
    const change = this.session.moment?.change;
    const shape = state === undefined ? undefined : shapeOf(state);
    const band = state === undefined || view === undefined ? undefined : mapBands(state, view).find(({ level }) => level === change?.level);
    written.hidden = true;
    if (!change || view === undefined || shape === undefined || band === undefined) return;
    // No wider than the map, of which a slot may be far wider.
    const left = Math.max(-4, xOf(view, change.ipa));
    const right = Math.min(view.width + 4, Math.max(left + 4, xOf(view, change.ipa + spanBytes(shape, change.level))));
    if (right < left) return;
    written.style.width = `${right - left + 4}px`;
    written.style.height = `${band.height + 4}px`;
    moveMark(written, left - 2, band.top - 2);
  }

  private fit(): void {
    clearTimeout(this.settled);
    this.fitting = true;
    this.session.refresh({ from: 0, to: Number.MAX_SAFE_INTEGER });
  }

  private listenToPointer(): void {
    const canvas = this.canvas.element;
    canvas.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        if (this.state !== undefined && this.view !== undefined)
          this.look(zoomView(this.state, this.view, event.offsetX, event.deltaY < 0 ? CLOSER : 1 / CLOSER));
      },
      { passive: false },
    );
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pressed = { x: event.offsetX, moved: false, last: event.offsetX };
    });
    canvas.addEventListener('pointermove', (event) => this.moved(event));
    canvas.addEventListener('pointerup', () => {
      const slot = this.hover?.slot ?? this.hover?.above;
      if (this.pressed?.moved === false && slot) this.session.chooseSlot({ table: slot.table, slot: slot.slot });
      this.pressed = undefined;
    });
    canvas.addEventListener('pointerleave', () => {
      this.pointer = undefined;
      this.draw();
    });
  }

  private listenToKeys(): void {
    this.canvas.element.addEventListener('keydown', (event) => {
      const { state, view } = this;
      if (state === undefined || view === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      const aside = event.shiftKey ? { ArrowLeft: ASIDE, ArrowRight: -ASIDE }[event.key] : undefined;
      if (event.key === '+') this.look(zoomView(state, view, view.width / 2, CLOSER));
      else if (event.key === '-') this.look(zoomView(state, view, view.width / 2, 1 / CLOSER));
      else if (event.key === '0') this.fit();
      else if (aside !== undefined) this.look(panView(state, view, aside * view.width));
      else return;
      event.preventDefault();
      event.stopPropagation(); // the page has its own use for arrows
    });
  }

  private moved(event: PointerEvent): void {
    const { state, view, pressed } = this;
    this.pointer = { x: event.offsetX, y: event.offsetY };
    if (state === undefined || view === undefined) return;
    if (pressed !== undefined && (pressed.moved || Math.abs(event.offsetX - pressed.x) > 3)) {
      pressed.moved = true;
      const by = event.offsetX - pressed.last;
      pressed.last = event.offsetX;
      this.look(panView(state, view, by));
    } else this.draw();
  }

  /** Says what is under the pointer, which stays where it is when the map moves or the tables change under it. */
  private point(): void {
    const { state, view, pointer } = this;
    this.hover =
      state === undefined || view === undefined || pointer === undefined ? undefined : hitTest(state, view, pointer.x, pointer.y);
    setText(this.tip, this.hover?.lines.join(' · ') ?? ' ');
  }

  /** Shows another part; once the reader is content with it, asks for what it holds in full. */
  private look(view: MapView): void {
    this.view = view;
    this.fitting = false;
    this.draw();
    clearTimeout(this.settled);
    const apart = view.to - view.from;
    this.settled = setTimeout(
      () => this.session.refresh({ from: Math.max(0, Math.floor(view.from - apart)), to: Math.ceil(view.to + apart) }),
      120,
    );
  }
}

/** Whether two states make the same picture: nothing but the event differs. */
function looksTheSame(one: Stage2State, other: Stage2State): boolean {
  const marks = ({ from, to, exact, pending, walkers, memslots }: Stage2State): string =>
    JSON.stringify([from, to, exact, pending, walkers.map(({ kind, level, ipa }) => [kind, level, ipa]), memslots]);
  return one.levels === other.levels && marks(one) === marks(other);
}
