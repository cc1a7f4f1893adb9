export * from './columns.ts';
export * from './codes.ts';
export * from './kinds.ts';
export * from './kind-codes.ts';
export * from './frame.ts';
export * from './sequence-guard.ts';
export * from './decode.ts';
export * from './memory-log.ts';
