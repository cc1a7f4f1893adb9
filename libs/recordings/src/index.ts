export { importGolden, RecordingError } from './golden.ts';
export type { GoldenOptions } from './golden.ts';
