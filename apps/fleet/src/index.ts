export { assembleFleet, type Fleet, type FleetOptions } from './assemble.ts';
export { MeteredSink, MetricsSink } from './metered-sink.ts';
export { pump, type FrameProducer, type PumpOptions, type PumpOutcome } from './pump.ts';
export { loadRecordedWorkload, loadScenario, type LoadedScenario, type RecordingFile } from './scenario-source.ts';
export { WindowedSink } from './windowed-sink.ts';
