export { LiveFeed, SAMPLE_PERIOD_MS, type LabSource } from './live-feed.ts';
export type { LabAbout, LabSample, MachineSample, RecordingState, SampleField, ViolationNote } from './sample.ts';
export { FIELD, SAMPLE_FIELDS } from './sample.ts';
export { startExplorer, type Explorer, type ExplorerOptions } from './server.ts';
export { type GrowingLog, LogFile, type LogFileOptions, LogOnDemand } from './log/log-file.ts';
export { type SiteOptions, writeSite } from './write-site.ts';
export { MetricFeed, type MetricSource } from './metric-feed.ts';
