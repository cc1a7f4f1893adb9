export { conform, differenceText } from './conform.ts';
export type { Conformance } from './conform.ts';
export type { Difference } from './difference.ts';
