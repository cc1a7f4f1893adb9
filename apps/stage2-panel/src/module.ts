import { PanelPlugin } from '@grafana/data';
import type { MapOptions } from './options.ts';
import { offerOptions } from './options.ts';
import { Stage2Panel } from './stage2-panel.ts';

/** What Grafana loads. */
export const plugin = new PanelPlugin<MapOptions>(Stage2Panel).setPanelOptions(offerOptions);
