import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATA_SOURCE } from './panels.ts';
import { explorerLink, explorerVariable } from './stage2-map-panel.ts';

/** Tag of all dashboards of the lab, by which they link to each other. */
const TAG = 'stage2-lab';

/** A moment or stretch that is marked in all panels of a dashboard. */
interface Mark {
  readonly name: string;
  /** Marked while this gives a value. */
  readonly expr: string;
  /** Text of a mark; `{{label}}` stands for a label's value. */
  readonly text: string;
  readonly color: string;
  /** Whether it is marked before anybody asks for it. */
  readonly shown: boolean;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

/** What a dashboard consists of. */
export interface BoardSpec {
  /** Also the last part of its address. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly variables: Builder<VariableModel>[];
  readonly marks: readonly Mark[];
  /** Panels above the first row. */
  readonly headline: readonly Builder<Panel>[];
  readonly rows: readonly Row[];
}

/** A dashboard of the lab: read-only, linked to the others with its time and its variables. */
export function board({ name, title, description, variables, marks, headline, rows }: BoardSpec): Dashboard {
  const dashboard = new DashboardBuilder(title)
    .uid(`s2lab-${name}`)
    .description(description)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-15m', to: 'now' })
    .refresh('5s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables, explorerVariable()])
    .annotations(marks.map(annotation))
    .link(new DashboardLinkBuilder('Stage-2 Lab').type(DashboardLinkType.Dashboards).tags([TAG]).keepTime(true).includeVars(true))
    .link(explorerLink());
  for (const panel of headline) dashboard.withPanel(panel);
  rows.forEach((row, i) => {
    dashboard.withRow(new RowBuilder(row.title).id(100 * (i + 1)));
    for (const panel of row.panels) dashboard.withPanel(panel);
  });
  const built = dashboard.build();
  // The builders put both into a menu that a reader has to open first; without a place they stand above the panels.
  for (const shown of [...(built.links ?? []), ...(built.annotations?.list ?? [])]) delete shown.placement;
  return built;
}

function annotation({ name, expr, text, color, shown }: Mark): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATA_SOURCE)
    .enable(shown)
    .iconColor(color)
    .expr(expr)
    .titleFormat(name)
    .textFormat(text);
}
