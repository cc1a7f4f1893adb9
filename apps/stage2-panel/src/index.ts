export type { MapOptions } from './options.ts';
export { PANEL_ID } from './plugin-id.ts';
