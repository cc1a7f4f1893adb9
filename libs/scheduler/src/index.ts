export * from './fleet-run.ts';
export * from './machine-run.ts';
export * from './tournament.ts';
