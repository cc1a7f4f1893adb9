export { PROFILES, Verifier } from './verifier.ts';
export type { VerifierOptions, VerifierProgress, VerifierSnapshot } from './verifier.ts';
export { UNREAD_COLUMNS } from './shadow/event-cursor.ts';
export { formatVerdict } from './verdict.ts';
export type { MachineVerdict, MissingEvents, Verdict, Violation, WitnessLine } from './verdict.ts';
export { RULES } from './rules/index.ts';
export type { Rule } from './rule.ts';
export { needsBreak } from './rules/i03-break-before-make.ts';
