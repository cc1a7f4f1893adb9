import type { Site } from '../site.ts';
import { startShell } from './shell.ts';
import { LIVE } from './views/live/open-live.ts';

const site = (await (await fetch('site.json')).json()) as Site;
startShell(site.live ? [LIVE] : [], {});
