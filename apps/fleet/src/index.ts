export { assembleFleet, type Fleet, type FleetOptions } from './assemble.ts';
export { MeteredSink, MetricsSink } from './metered-sink.ts';
export { pump, type FrameProducer, type PumpOptions, type PumpOutcome } from './pump.ts';
export { loadRecordedWorkload, loadScenario, type LoadedScenario, type RecordingFile } from './scenario-source.ts';
export { WindowedSink } from './windowed-sink.ts';
export type { ApiLab, LabOutput } from './api/api-lab.ts';
export { labApi } from './api/lab-api.ts';
export { RunKeeper, type KeptRun, type RunKeeperOptions } from './control/run-keeper.ts';
export { SpeedGauge } from './control/speed-gauge.ts';
