export { checkpointPath } from './checkpoint-file.ts';
export { type BuiltCheckpoints, LogTimeline, type RunningSurvey } from './log-timeline.ts';
