import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { reclaimDashboard } from './reclaim-dashboard.ts';

/** All dashboards, by the name of their file in infra/grafana/dashboards. A new dashboard is one more line here. */
export function dashboards(): Readonly<Record<string, Dashboard>> {
  return {
    'reclaim.json': reclaimDashboard().build(),
  };
}

/** The text of a dashboard's file. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
