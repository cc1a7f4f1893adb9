export {
  CAPABILITIES,
  CAPABILITY_FILE,
  type Capability,
  type CapabilityName,
  type CapabilityRecord,
  capability,
  requireCapability,
} from './capability.ts';
export * from './browser-flags.ts';
export * from './transport-contract.ts';
export * from './kafka-broker.ts';
export * from './trace-dsl.ts';
export * from './mutant.ts';
export * from './mutants.ts';
export * from './synthetic-rows.ts';
export * from './lab-processes.ts';
export * from './full-checks.ts';
