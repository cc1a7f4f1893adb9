import type { Rule } from '../rule.ts';
import { useAfterFree } from './i01-use-after-free.ts';
import { breakBeforeMake } from './i03-break-before-make.ts';
import { lockOwner } from './i04-lock-owner.ts';
import { freedOnce } from './i05-freed-once.ts';
import { noLeak } from './i06-no-leak.ts';
import { referenceCounts } from './i07-reference-counts.ts';
import { gracePeriod } from './i08-grace-period.ts';
import { locks } from './i09-locks.ts';
import { memoryMap } from './i10-memory-map.ts';
import { publication } from './i15-publication.ts';
import { logOrder } from './i17-log-order.ts';

/** All rules, by number. A new rule is one file and one line here. */
export const RULES: readonly Rule[] = [
  useAfterFree,
  breakBeforeMake,
  lockOwner,
  freedOnce,
  noLeak,
  referenceCounts,
  gracePeriod,
  locks,
  memoryMap,
  publication,
  logOrder,
];
