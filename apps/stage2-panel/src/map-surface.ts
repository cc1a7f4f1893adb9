import type { MapHit, MapPalette, MapView, Stage2State } from '@s2lab/stage2-map';
import { drawStage2Map, fitView, hitTest, panView, zoomView } from '@s2lab/stage2-map';

/** CSS pixels that the pointer may move with its button down before it drags. */
const DRAG_FROM = 3;
/** Zoom of one notch of a wheel, and of a key. */
const STEP = 1.25;
const KEY_PAN = 40;

/** How a surface looks. */
export interface SurfaceLook {
  readonly palette: MapPalette;
  readonly fontFamily: string;
  readonly width: number;
  readonly height: number;
}

/** What is under the pointer, and where on the surface the pointer is. */
export interface PointedAt {
  readonly hit: MapHit;
  readonly x: number;
  readonly y: number;
}

/**
 * A canvas with a map that can be zoomed (wheel, +, -), moved (drag, arrows), fitted (double click, 0) and pointed at. A view that nobody
 * has changed follows what is mapped.
 */
export class MapSurface {
  private readonly canvas: HTMLCanvasElement;
  private readonly pointed: (at: PointedAt | undefined) => void;
  private readonly viewed: (view: MapView | undefined) => void;
  private state: Stage2State | undefined;
  private look: SurfaceLook | undefined;
  private view: MapView | undefined;
  /** Whether the view was chosen by hand. */
  private chosen = false;
  private pointer: { readonly x: number; readonly y: number } | undefined;
  private drag: { readonly x: number; moved: boolean } | undefined;
  private readonly stop = new AbortController();

  /**
   * @param pointed is told what is under the pointer whenever that may have changed
   * @param viewed is told the view that was chosen by hand; undefined = all is shown again
   */
  constructor(canvas: HTMLCanvasElement, pointed: (at: PointedAt | undefined) => void, viewed: (view: MapView | undefined) => void) {
    this.canvas = canvas;
    this.pointed = pointed;
    this.viewed = viewed;
    const on = <K extends keyof HTMLElementEventMap>(type: K, handler: (event: HTMLElementEventMap[K]) => void): void =>
      canvas.addEventListener(type, handler, { signal: this.stop.signal, passive: false });
    on('wheel', (event) => {
      event.preventDefault();
      this.zoom(this.placeOf(event).x, event.deltaY < 0 ? STEP : 1 / STEP);
    });
    on('pointerdown', (event) => {
      this.drag = { x: this.placeOf(event).x, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    on('pointermove', (event) => this.move(this.placeOf(event)));
    on('pointerup', () => {
      this.drag = undefined;
    });
    on('pointerleave', () => {
      this.pointer = undefined;
      this.draw();
    });
    on('dblclick', () => this.fit());
    on('keydown', (event) => this.key(event));
  }

  /** Shows a state. */
  show(state: Stage2State, look: SurfaceLook): void {
    const before = this.state;
    const resized = this.look?.width !== look.width || this.look?.height !== look.height;
    this.state = state;
    this.look = look;
    const same = before?.origin.machine === state.origin.machine && before.origin.run === state.origin.run;
    if (!same && this.chosen) {
      this.chosen = false;
      this.viewed(undefined);
    }
    if (this.view === undefined || !this.chosen) this.view = fitView(state, look.width, look.height);
    else if (resized) this.view = { ...this.view, width: look.width, height: look.height };
    const ratio = globalThis.devicePixelRatio;
    this.canvas.width = Math.round(look.width * ratio);
    this.canvas.height = Math.round(look.height * ratio);
    this.draw();
  }

  /** Takes the listeners off the canvas. */
  close(): void {
    this.stop.abort();
  }

  private placeOf(event: MouseEvent): { readonly x: number; readonly y: number } {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private move(place: { readonly x: number; readonly y: number }): void {
    const { drag, state, view } = this;
    if (drag !== undefined && state !== undefined && view !== undefined && (drag.moved || Math.abs(place.x - drag.x) >= DRAG_FROM)) {
      this.change(panView(state, view, place.x - drag.x));
      this.drag = { x: place.x, moved: true };
    }
    this.pointer = place;
    this.draw();
  }

  private zoom(x: number, factor: number): void {
    if (this.state !== undefined && this.view !== undefined) this.change(zoomView(this.state, this.view, x, factor));
  }

  private fit(): void {
    this.chosen = false;
    this.viewed(undefined);
    if (this.state !== undefined && this.look !== undefined) this.view = fitView(this.state, this.look.width, this.look.height);
    this.draw();
  }

  private key(event: KeyboardEvent): void {
    const { state, view, look } = this;
    if (state === undefined || view === undefined || look === undefined) return;
    const middle = look.width / 2;
    if (event.key === '+' || event.key === '=') this.zoom(middle, STEP);
    else if (event.key === '-') this.zoom(middle, 1 / STEP);
    else if (event.key === '0') this.fit();
    else if (event.key === 'ArrowLeft') this.change(panView(state, view, KEY_PAN));
    else if (event.key === 'ArrowRight') this.change(panView(state, view, -KEY_PAN));
    else return;
    event.preventDefault();
  }

  private change(view: MapView): void {
    this.view = view;
    this.chosen = true;
    this.viewed(view);
    this.draw();
  }

  private draw(): void {
    const { state, view, look, pointer } = this;
    const canvas = this.canvas.getContext('2d');
    if (state === undefined || view === undefined || look === undefined || canvas === null) return;
    const hit = pointer === undefined ? undefined : hitTest(state, view, pointer.x, pointer.y);
    drawStage2Map(canvas, state, view, {
      palette: look.palette,
      ratio: this.canvas.width / look.width,
      fontFamily: look.fontFamily,
      hover: hit,
    });
    this.pointed(hit === undefined || pointer === undefined ? undefined : { hit, ...pointer });
  }
}
