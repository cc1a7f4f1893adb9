import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Mark, View } from '@s2lab/dashboards';
import { markPromql } from '@s2lab/dashboards';
import { DATA_SOURCE, grafanaPanel } from './panels.ts';
import { explorerLink, explorerVariable, MAP_ROW, machineVariable, stage2Map } from './stage2-map-panel.ts';
import { machineVariables, serviceVariables } from './variables.ts';

/** Tag of all dashboards of the lab, by which they link to each other. */
const TAG = 'stage2-lab';

/**
 * A view of the lab as a dashboard of Grafana: read-only, linked to the others with its time and its variables.
 * @param withMap above its rows the map of one machine's stage-2, which is no query of metrics and so no part of the view
 */
export function board({ name, title, description, about, marks, headline, rows }: View, withMap = false): Dashboard {
  const variables = about === 'machines' ? machineVariables() : serviceVariables(about.programs);
  const dashboard = new DashboardBuilder(title)
    .uid(`s2lab-${name}`)
    .description(description)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-15m', to: 'now' })
    .refresh('5s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables, ...(withMap ? [machineVariable()] : []), explorerVariable()])
    .annotations(marks.map(annotation))
    .link(new DashboardLinkBuilder('Stage-2 Lab').type(DashboardLinkType.Dashboards).tags([TAG]).keepTime(true).includeVars(true))
    .link(explorerLink());
  for (const panel of headline) dashboard.withPanel(grafanaPanel(panel));
  if (withMap) dashboard.withRow(new RowBuilder(MAP_ROW.title).id(MAP_ROW.id)).withPanel(stage2Map());
  rows.forEach((row, i) => {
    dashboard.withRow(new RowBuilder(row.title).id(100 * (i + 1)));
    for (const panel of row.panels) dashboard.withPanel(grafanaPanel(panel));
  });
  const built = dashboard.build();
  // The builders put both into a menu that a reader has to open first; without a place they stand above the panels.
  for (const shown of [...(built.links ?? []), ...(built.annotations?.list ?? [])]) delete shown.placement;
  return built;
}

function annotation(mark: Mark): AnnotationQueryBuilder {
  const { name, text, color, shown } = mark;
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATA_SOURCE)
    .enable(shown)
    .iconColor(color)
    .expr(markPromql(mark))
    .titleFormat(name)
    .textFormat(text);
}
