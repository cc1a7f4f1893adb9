import { INVALIDATION } from '@s2lab/events';

/** What a TLBI reaches: which stage's entries, whether all cores hear it, what it covers. */
export interface Reach {
  readonly stage1: boolean;
  readonly everywhere: boolean;
  readonly covers: 'stage 1' | 'stage 2' | 'both';
  readonly by: 'address' | 'vmid' | 'all';
  readonly lastLevelOnly: boolean;
}

function reach(stage1: boolean, everywhere: boolean, covers: Reach['covers'], by: Reach['by'], lastLevelOnly = false): Reach {
  return { stage1, everywhere, covers, by, lastLevelOnly };
}

/** Reach of each INVALIDATION. @source casemate 3.0.2; Arm ARM DDI 0487, "TLB maintenance instructions" */
export const REACH: Readonly<Record<number, Reach>> = {
  [INVALIDATION.ipas2e1is]: reach(false, true, 'stage 2', 'address'),
  [INVALIDATION.vmalle1is]: reach(false, true, 'stage 1', 'vmid'),
  [INVALIDATION.vmalle1]: reach(false, false, 'stage 1', 'vmid'),
  [INVALIDATION.vmalls12e1is]: reach(false, true, 'both', 'vmid'),
  [INVALIDATION.vmalls12e1]: reach(false, false, 'both', 'vmid'),
  [INVALIDATION.alle1is]: reach(false, true, 'both', 'all'),
  [INVALIDATION.alle1]: reach(false, false, 'both', 'all'),
  [INVALIDATION.vae2is]: reach(true, true, 'both', 'address'),
  [INVALIDATION.vale2is]: reach(true, true, 'both', 'address', true),
  [INVALIDATION.alle2is]: reach(true, true, 'both', 'all'),
  [INVALIDATION.alle2]: reach(true, false, 'both', 'all'),
};
