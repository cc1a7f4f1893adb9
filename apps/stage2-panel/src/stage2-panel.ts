import type { PanelProps } from '@grafana/data';
import { DataHoverClearEvent, DataHoverEvent } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import type { LegendEntry, MapPalette, MapView, Stage2State } from '@s2lab/stage2-map';
import { DARK_PALETTE, LIGHT_PALETTE, mapLegend } from '@s2lab/stage2-map';
import type { CSSProperties, MouseEvent, ReactElement } from 'react';
import { createElement as h, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useDetail } from './detail.ts';
import type { ReceivedState } from './frame-state.ts';
import { stateOfFrame } from './frame-state.ts';
import type { PointedAt } from './map-surface.ts';
import { MapSurface } from './map-surface.ts';
import type { MapOptions } from './options.ts';
import { StateHistory } from './state-history.ts';
import { drawStrip, STRIP_HEIGHT, stripTimeAt } from './time-strip.ts';

const HEAD_HEIGHT = 20;
const LEGEND_HEIGHT = 22;
const SMALL: CSSProperties = {
  fontSize: 12,
  lineHeight: `${HEAD_HEIGHT}px`,
  whiteSpace: 'nowrap',
  overflow: 'hidden',
  textOverflow: 'ellipsis',
};

const LINK: CSSProperties = { float: 'right', marginLeft: 12, textDecoration: 'underline', color: 'inherit' };

/** The panel: what is shown, the map, pending frees over time, the legend. */
export function Stage2Panel(props: PanelProps<MapOptions>): ReactElement {
  const history = useHistory(props);
  const [cursorMs, setCursor] = useCursor(props);
  const shown = cursorMs === undefined ? history.latest() : history.at(cursorMs);
  if (shown === undefined) return h('div', { role: 'status' }, 'No stage-2 in the data: query a machine of the data source “Stage-2 Lab”.');
  return h(ShownState, { props, history, shown, back: cursorMs !== undefined && shown !== history.latest(), setCursor });
}

interface ShownProps {
  readonly props: PanelProps<MapOptions>;
  readonly history: StateHistory;
  readonly shown: ReceivedState;
  /** The state is not the latest. */
  readonly back: boolean;
  readonly setCursor: (timeMs: number | undefined) => void;
}

function ShownState({ props, history, shown, back, setCursor }: ShownProps): ReactElement {
  const { options, width, height } = props;
  const { top, bottom } = options;
  const { isDark, typography } = useTheme2();
  const [pointed, setPointed] = useState<PointedAt>();
  const [view, setView] = useState<MapView>();
  // The same object until the state changes: the map is drawn anew for another one.
  const drawn = useDetail(props, shown, view, back);
  const state = useMemo(() => withLevels(drawn.state, top, bottom), [drawn, top, bottom]);
  const dark = options.palette === 'theme' ? isDark : options.palette === 'dark';
  const palette = dark ? DARK_PALETTE : LIGHT_PALETTE;
  const { fontFamily } = typography;
  const rest = HEAD_HEIGHT + (options.strip ? STRIP_HEIGHT + 4 : 0) + (options.legend ? LEGEND_HEIGHT : 0);
  return h(
    'div',
    { style: { position: 'relative', width, height, overflow: 'hidden' } },
    h(Head, { received: drawn, back }),
    h(MapCanvas, { state, palette, fontFamily, width, height: Math.max(60, height - rest), pointed: setPointed, viewed: setView }),
    options.strip ? h(Strip, { props, history, shown, palette, fontFamily, setCursor }) : null,
    options.legend ? h(Legend, { palette }) : null,
    pointed === undefined ? null : h(Tooltip, { pointed, palette, width }),
  );
}

/** The states received so far, with those of the present data. */
function useHistory({ data, options, replaceVariables }: PanelProps<MapOptions>): StateHistory {
  const history = useRef<StateHistory>(undefined);
  history.current ??= new StateHistory();
  const machine = replaceVariables(options.machine);
  useMemo(() => {
    const received = data.series.map(stateOfFrame).filter((one) => one !== undefined);
    const chosen = machine === '' ? received[0] : received.find(({ state }) => String(state.origin.machine) === machine);
    if (chosen !== undefined) history.current!.push(chosen);
  }, [data, machine]);
  return history.current;
}

/** The moment under the pointer in any panel of the dashboard that shares its cursor; undefined = none. */
function useCursor({ eventBus }: PanelProps<MapOptions>): readonly [number | undefined, (timeMs: number | undefined) => void] {
  const [cursorMs, setCursor] = useState<number>();
  useEffect(() => {
    const hover = eventBus.subscribe(DataHoverEvent, (event) => {
      const time = event.payload.point['time'];
      if (event.origin !== eventBus && typeof time === 'number') setCursor(time);
    });
    const clear = eventBus.subscribe(DataHoverClearEvent, (event) => {
      if (event.origin !== eventBus) setCursor(undefined);
    });
    return () => {
      hover.unsubscribe();
      clear.unsubscribe();
    };
  }, [eventBus]);
  return [cursorMs, setCursor];
}

function withLevels(state: Stage2State, top: number, bottom: number): Stage2State {
  const first = Math.min(Math.max(top, state.top), state.bottom);
  return { ...state, top: first, bottom: Math.max(first, Math.min(bottom, state.bottom)) };
}

/** Which machine, which moment, and the way to the explorer at that moment. */
function Head({ received, back }: { readonly received: ReceivedState; readonly back: boolean }): ReactElement {
  const { state, timeMs, explorerUrl } = received;
  const { machine, policy, machineKind, run } = state.origin;
  const facts = [
    `machine ${machine} (${policy}, ${machineKind})`,
    ...(state.vmids.length > 1 ? [`VMID ${state.vmid} of ${state.vmids.join(', ')}`] : []),
    `event ${state.seq.toLocaleString('en')}`,
    `${(state.atNs / 1e6).toFixed(3)} ms virtual`,
    `${state.tables} tables`,
    `${state.pending.length} frees pending`,
    `${state.walkers.length} walkers inside`,
    ...(back ? [`as of ${new Date(timeMs).toLocaleTimeString()}`] : []),
    ...(state.exact ? [] : ['neighbours merged']),
  ];
  const link = `${explorerUrl}#seq=${Math.max(0, state.seq)}&machine=${machine}`;
  return h(
    'div',
    { style: SMALL, title: `${facts.join(', ')}, run ${run}` },
    explorerUrl === '' ? null : h('a', { href: link, target: '_blank', rel: 'noreferrer', style: LINK }, 'open in the explorer'),
    facts.join(' · '),
  );
}

interface MapCanvasProps {
  readonly state: Stage2State;
  readonly palette: MapPalette;
  readonly fontFamily: string;
  readonly width: number;
  readonly height: number;
  readonly pointed: (at: PointedAt | undefined) => void;
  readonly viewed: (view: MapView | undefined) => void;
}

function MapCanvas({ state, palette, fontFamily, width, height, pointed, viewed }: MapCanvasProps): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  const surface = useRef<MapSurface>(undefined);
  useLayoutEffect(() => {
    const made = new MapSurface(canvas.current!, pointed, viewed);
    surface.current = made;
    return () => made.close();
  }, [pointed, viewed]);
  useLayoutEffect(() => surface.current!.show(state, { palette, fontFamily, width, height }), [state, palette, fontFamily, width, height]);
  const label = `Stage-2 of machine ${state.origin.machine}, levels ${state.top} to ${state.bottom}, ${state.pending.length} frees pending. Keys: + and - zoom, arrows move, 0 shows all.`;
  return h('canvas', {
    ref: canvas,
    tabIndex: 0,
    role: 'img',
    'aria-label': label,
    style: { display: 'block', width, height, touchAction: 'none' },
  });
}

interface StripProps {
  readonly props: PanelProps<MapOptions>;
  readonly history: StateHistory;
  readonly shown: ReceivedState;
  readonly palette: MapPalette;
  readonly fontFamily: string;
  readonly setCursor: (timeMs: number | undefined) => void;
}

/** Pending frees over time. Its pointer is the time cursor of all panels. */
function Strip({ props, history, shown, palette, fontFamily, setCursor }: StripProps): ReactElement {
  const { eventBus, timeRange, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const time = { fromMs: timeRange.from.valueOf(), toMs: timeRange.to.valueOf(), width };
  useLayoutEffect(() => {
    const ratio = globalThis.devicePixelRatio;
    const surface = canvas.current!;
    surface.width = Math.round(width * ratio);
    surface.height = Math.round(STRIP_HEIGHT * ratio);
    const context = surface.getContext('2d')!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawStrip(context, history.all(), shown, time, palette, fontFamily);
  });
  const hover = (event: MouseEvent<HTMLCanvasElement>): void => {
    const at = stripTimeAt(time, event.clientX - event.currentTarget.getBoundingClientRect().left);
    setCursor(at);
    eventBus.publish(new DataHoverEvent({ point: { time: at } }));
  };
  const leave = (): void => {
    setCursor(undefined);
    eventBus.publish(new DataHoverClearEvent());
  };
  const label = 'Pending frees over time; point at a moment to see the stage-2 as it was';
  return h('canvas', {
    ref: canvas,
    role: 'img',
    'aria-label': label,
    onMouseMove: hover,
    onMouseLeave: leave,
    style: { display: 'block', width, height: STRIP_HEIGHT, marginTop: 4 },
  });
}

function Legend({ palette }: { readonly palette: MapPalette }): ReactElement {
  const entries = mapLegend(palette).map((entry) =>
    h(
      'li',
      { key: entry.text, style: { display: 'inline-flex', alignItems: 'center', marginRight: 12 } },
      h('span', { style: swatch(entry) }),
      entry.text,
    ),
  );
  return h(
    'ul',
    { style: { ...SMALL, lineHeight: `${LEGEND_HEIGHT}px`, fontSize: 11, margin: 0, padding: 0, listStyle: 'none' } },
    entries,
  );
}

function swatch({ colour, shape }: LegendEntry): CSSProperties {
  const background = shape === 'hatch' ? `repeating-linear-gradient(135deg, ${colour} 0 2px, transparent 2px 5px)` : colour;
  const clipPath = {
    triangle: 'polygon(50% 0, 100% 100%, 0 100%)',
    diamond: 'polygon(50% 0, 100% 50%, 50% 100%, 0 50%)',
    fill: 'none',
    hatch: 'none',
    bar: 'none',
  }[shape];
  return { display: 'inline-block', width: shape === 'bar' ? 3 : 11, height: 11, marginRight: 5, background, clipPath };
}

function Tooltip({
  pointed,
  palette,
  width,
}: {
  readonly pointed: PointedAt;
  readonly palette: MapPalette;
  readonly width: number;
}): ReactElement {
  const { hit, x, y } = pointed;
  const side: CSSProperties = x > width / 2 ? { right: width - x + 12 } : { left: x + 12 };
  const style: CSSProperties = {
    position: 'absolute',
    top: HEAD_HEIGHT + Math.max(0, y - 10),
    ...side,
    maxWidth: width / 2,
    pointerEvents: 'none',
    padding: '4px 8px',
    fontSize: 12,
    borderRadius: 3,
    border: `1px solid rgb(${palette.faint.join()})`,
    background: `rgb(${palette.background.join()})`,
    color: `rgb(${palette.text.join()})`,
  };
  return h(
    'div',
    { role: 'tooltip', style },
    hit.lines.map((line, i) => h('div', { key: i }, line)),
  );
}
