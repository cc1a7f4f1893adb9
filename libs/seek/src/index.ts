export { CheckpointFile, type CheckpointPlace, checkpointPath } from './checkpoint-file.ts';
export { type BuiltCheckpoints, type LoggedMachine, LogTimeline } from './log-timeline.ts';
