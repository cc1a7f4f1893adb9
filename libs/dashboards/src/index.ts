export * from './panel.ts';
export { MACHINE_VARIABLES, type Query, type Series } from './query.ts';
export { markPromql, promql } from './promql.ts';
export { PROCESS_METRICS } from './process-metrics.ts';
export { VIEWS } from './views/views.ts';
