import type { Query } from './query.ts';

/** Units of values; Grafana’s names for them. */
export type Unit = 'short' | 's' | 'cps' | 'bytes' | 'Bps' | 'percentunit' | 'bool_yes_no';

/** From which value on something is yellow and red. */
export interface Limits {
  readonly yellow?: number;
  readonly red: number;
}

/** One query of a panel. */
export interface PanelQuery {
  readonly query: Query;
  /** Legend of each series; `{{label}}` stands for a label's value. */
  readonly legend: string;
}

/** What every panel says. */
interface PanelSpec {
  /** Unique in its view and stable: links and screenshots refer to it. */
  readonly id: number;
  readonly title: string;
  /** What is shown, and what a reader should make of it. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly PanelQuery[];
  /** Width in a grid of 24. */
  readonly width: number;
}

/** A panel with curves over time. */
export interface CurvesPanel extends PanelSpec {
  readonly kind: 'curves';
  readonly stacked?: boolean;
  /** Largest value that can be. */
  readonly max?: number;
  /** Drawn as lines; undefined = no value is bad. */
  readonly bad?: Limits;
}

/** A panel with one number. */
export interface NumberPanel extends PanelSpec {
  readonly kind: 'number';
  /** Undefined = it is never bad. */
  readonly bad?: Limits;
  readonly decimals?: number;
}

/** A panel that tells how often values fell into each bucket of a histogram, over time. Its only query is grouped by `le`; `unit` is that of the buckets. */
export interface HeatMapPanel extends PanelSpec {
  readonly kind: 'heatMap';
}

/** A panel of a view. */
export type Panel = CurvesPanel | NumberPanel | HeatMapPanel;

/** A moment or stretch that is marked in all panels of a view. */
export interface Mark {
  readonly name: string;
  /** Marked while the query gives a value that `when` says. */
  readonly query: Query;
  readonly when: 'above zero' | 'zero';
  /** Text of a mark; `{{label}}` stands for a label's value. */
  readonly text: string;
  readonly color: string;
  /** Whether it is marked before anybody asks for it. */
  readonly shown: boolean;
}

/** A view: a dashboard of Grafana, and a view of the page. Plain data. */
export interface View {
  /** Also the last part of its address. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What its readers choose among: machines, or the programs that expose `programs`. */
  readonly about: 'machines' | { readonly programs: string };
  readonly marks: readonly Mark[];
  /** Panels above the first row. */
  readonly headline: readonly Panel[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** A panel with curves over time. */
export function curves(panel: Omit<CurvesPanel, 'kind'>): CurvesPanel {
  return { kind: 'curves', ...panel };
}

/** A panel with one number. */
export function number(panel: Omit<NumberPanel, 'kind'>): NumberPanel {
  return { kind: 'number', ...panel };
}

/** A panel of buckets over time. */
export function heatMap(panel: Omit<HeatMapPanel, 'kind'>): HeatMapPanel {
  return { kind: 'heatMap', ...panel };
}
