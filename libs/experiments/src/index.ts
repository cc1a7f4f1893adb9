export * from './experiment.ts';
export * from './experiments.ts';
export * from './figure.ts';
