import type { Site } from '../site.ts';
import { startShell } from './shell.ts';
import { dashboardViews } from './views/dashboards/open-dashboards.ts';
import { LIVE } from './views/live/open-live.ts';
import { ADDRESS_WORDS } from './views/log/log-address.ts';
import { logView } from './views/log/open-log.ts';

const site = (await (await fetch('site.json')).json()) as Site;
startShell([...(site.live ? [LIVE, ...(await dashboardViews())] : []), logView(site)], { log: ADDRESS_WORDS });
