import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { VIEWS } from '@s2lab/dashboards';
import { board } from './board.ts';

/** All dashboards, by the name of their file in infra/grafana/dashboards. */
export function dashboards(): Readonly<Record<string, Dashboard>> {
  return Object.fromEntries(VIEWS.map((view) => [`${view.name}.json`, board(view, view.name === 'stage2')]));
}

/** The text of a dashboard's file. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
