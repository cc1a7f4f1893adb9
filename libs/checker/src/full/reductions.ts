/**
 * What a search need not see: `local-steps` (local-steps.ts), `judge-once` (`Judge`), `tables` and `walkers` (canonical-form.ts: states that
 * differ in the names of table pages, or of walkers with the same to do, are one), `spent-state` (spent-state.ts: states that differ in what nobody goes by
 * any more are one), and in order `dfs` `sleep-sets` (sleep-sets.ts: steps that commute with what was done before them).
 */
export type FullReduction = 'local-steps' | 'judge-once' | 'tables' | 'walkers' | 'spent-state' | 'sleep-sets';

/** All of them. */
export const FULL_REDUCTIONS: readonly FullReduction[] = ['local-steps', 'judge-once', 'tables', 'walkers', 'spent-state', 'sleep-sets'];
