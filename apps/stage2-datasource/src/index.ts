export { DATA_SOURCE_ID } from './plugin-id.ts';
export type { Stage2Query } from './stage2-query.ts';
