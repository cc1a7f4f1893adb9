import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { pipelineDashboard } from './pipeline-dashboard.ts';
import { pkvmDashboard } from './pkvm-dashboard.ts';
import { reclaimDashboard } from './reclaim-dashboard.ts';
import { stage2Dashboard } from './stage2-dashboard.ts';
import { verifierDashboard } from './verifier-dashboard.ts';

/** All dashboards, by the name of their file in infra/grafana/dashboards. A new dashboard is one more line here. */
export function dashboards(): Readonly<Record<string, Dashboard>> {
  return {
    'reclaim.json': reclaimDashboard(),
    'stage2.json': stage2Dashboard(),
    'pkvm.json': pkvmDashboard(),
    'verifier.json': verifierDashboard(),
    'pipeline.json': pipelineDashboard(),
  };
}

/** The text of a dashboard's file. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
