import type { View } from '../panel.ts';
import { pipelineView } from './pipeline-view.ts';
import { pkvmView } from './pkvm-view.ts';
import { reclaimView } from './reclaim-view.ts';
import { stage2View } from './stage2-view.ts';
import { verifierView } from './verifier-view.ts';

/** All views, in the order in which they are offered. A new one is one more line here: a dashboard of Grafana and a view of the page. */
export const VIEWS: readonly View[] = [reclaimView(), stage2View(), pkvmView(), verifierView(), pipelineView()];
