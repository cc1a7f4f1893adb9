export { importCasemate } from './casemate.ts';
export type { CasemateOptions } from './casemate.ts';
export { importGolden, RecordingError } from './golden.ts';
export type { GoldenOptions } from './golden-options.ts';
export { GoldenLine } from './golden-line.ts';
export type { Halves } from './golden-line.ts';
export { accessCode, walkFlags } from './golden-operations.ts';
export { flushIpa, flushRange, flushVmid } from './tlbi-sequences.ts';
export type { InstructionSink } from './tlbi-sequences.ts';
