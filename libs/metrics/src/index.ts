export * from './locked-descriptors.ts';
export * from './definitions.ts';
export * from './machine-tally.ts';
export * from './event-metrics.ts';
export * from './registry.ts';
export * from './service/settings.ts';
export * from './service/service-http.ts';
export * from './service/process-warnings.ts';
