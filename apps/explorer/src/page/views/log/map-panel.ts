import type { MapHit, MapView, Stage2State } from '@s2lab/stage2-map';
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
import { cssVariable } from '../../palette.ts';
import type { LogSession } from './log-session.ts';
import { button, FittedCanvas, make, panel } from './make-element.ts';

const HEIGHT = 240;

/** The stage-2 as a map: a wheel zooms, a drag moves, a click chooses the slot under the pointer. */
export class MapPanel {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly canvas: FittedCanvas;
  private readonly legend = make('span', 'legend');
  private readonly tip = make('p', 'note under');
  private readonly choice = make('select');
  private vmid: number | null = null;
  private state: Stage2State | undefined;
  private view: MapView | undefined;
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
    this.canvas.element.setAttribute('role', 'img');
    this.canvas.element.setAttribute('aria-label', 'Map of the stage-2: input addresses across, levels down');
    this.listenToPointer();
    element.append(this.canvas.element, this.tip);
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
    const palette = matchMedia('(prefers-color-scheme: dark)').matches ? DARK_PALETTE : LIGHT_PALETTE;
    const context = canvas.begin();
    drawStage2Map(context, state, this.view, { palette, ratio: devicePixelRatio, fontFamily: 'system-ui, sans-serif', hover: this.hover });
    this.frameChange(context, state, this.view);
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
    const other = this.state?.shape === undefined || moment.vmid !== this.vmid;
    this.vmid = moment.vmid;
    this.state = map.state;
    if (other) this.view = undefined; // what was fitted had no stage-2, or is another
    this.fillChoice(moment.stage2s);
    this.draw();
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

  /** The slot that this step wrote. */
  private frameChange(context: CanvasRenderingContext2D, state: Stage2State, view: MapView): void {
    const change = this.session.moment?.change;
    const shape = shapeOf(state);
    const band = mapBands(state, view).find(({ level }) => level === change?.level);
    if (!change || shape === undefined || band === undefined) return;
    const x = xOf(view, change.ipa);
    context.strokeStyle = cssVariable('--accent');
    context.lineWidth = 2;
    const wide = Math.max(4, xOf(view, change.ipa + spanBytes(shape, change.level)) - x);
    context.strokeRect(x - 1, band.top - 1, wide + 2, band.height + 2);
  }

  private fit(): void {
    this.view = undefined;
    this.session.refresh({ from: 0, to: Number.MAX_SAFE_INTEGER });
  }

  private listenToPointer(): void {
    const canvas = this.canvas.element;
    canvas.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        if (this.state !== undefined && this.view !== undefined)
          this.look(zoomView(this.state, this.view, event.offsetX, event.deltaY < 0 ? 1.3 : 1 / 1.3));
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
      this.hover = undefined;
      this.tip.textContent = ' ';
      this.draw();
    });
  }

  private moved(event: PointerEvent): void {
    const { state, view, pressed } = this;
    if (state === undefined || view === undefined) return;
    if (pressed !== undefined && (pressed.moved || Math.abs(event.offsetX - pressed.x) > 3)) {
      pressed.moved = true;
      this.look(panView(state, view, event.offsetX - pressed.last));
      pressed.last = event.offsetX;
      return;
    }
    this.hover = hitTest(state, view, event.offsetX, event.offsetY);
    this.tip.textContent = this.hover?.lines.join(' · ') ?? ' ';
    this.draw();
  }

  /** Shows another part; once the reader is content with it, asks for what it holds in full. */
  private look(view: MapView): void {
    this.view = view;
    this.draw();
    clearTimeout(this.settled);
    const apart = view.to - view.from;
    this.settled = setTimeout(
      () => this.session.refresh({ from: Math.max(0, Math.floor(view.from - apart)), to: Math.ceil(view.to + apart) }),
      120,
    );
  }
}
