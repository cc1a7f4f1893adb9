// Writes infra/grafana/dashboards/*.json from their definitions. `npm run dashboards -w @s2lab/infra`
import { writeFileSync } from 'node:fs';
import { dashboardText, dashboards } from './dashboards.ts';

for (const [file, dashboard] of Object.entries(dashboards())) {
  writeFileSync(new URL(`../grafana/dashboards/${file}`, import.meta.url), dashboardText(dashboard));
  console.log(`infra/grafana/dashboards/${file}: ${dashboard.panels?.length ?? 0} panels and rows`);
}
