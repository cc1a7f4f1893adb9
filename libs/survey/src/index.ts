export {
  type CheckpointPlace,
  type CheckpointStore,
  MemoryCheckpoints,
  type PackedView,
  viewFromBytes,
  viewToBytes,
} from './checkpoints.ts';
export { LogCursor } from './log-cursor.ts';
export { type LoggedMachine, LogSeeker } from './log-seeker.ts';
export { type Overview, OVERVIEW_FIELDS, type OverviewField, type PhaseStart } from './overview.ts';
export { Survey, type SurveyOptions, type SurveyRecord } from './survey.ts';
