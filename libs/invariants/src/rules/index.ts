import type { Rule } from '../rule.ts';
import { useAfterFree } from './i01-use-after-free.ts';
import { hardwareWalks } from './i02-hardware-walks.ts';
import { breakBeforeMake } from './i03-break-before-make.ts';
import { lockOwner } from './i04-lock-owner.ts';
import { freedOnce } from './i05-freed-once.ts';
import { noLeak } from './i06-no-leak.ts';
import { referenceCounts } from './i07-reference-counts.ts';
import { gracePeriod } from './i08-grace-period.ts';
import { locks } from './i09-locks.ts';
import { memoryMap } from './i10-memory-map.ts';
import { collapseAndSplit } from './i11-collapse-and-split.ts';
import { dirtyLogging } from './i12-dirty-logging.ts';
import { pageOwners } from './i13-page-owners.ts';
import { staleTranslations } from './i14-stale-translations.ts';
import { publication } from './i15-publication.ts';
import { boundedWalks } from './i16-bounded-walks.ts';
import { logOrder } from './i17-log-order.ts';

/** All rules, by number. A new rule is one file and one line here. */
export const RULES: readonly Rule[] = [
  useAfterFree,
  hardwareWalks,
  breakBeforeMake,
  lockOwner,
  freedOnce,
  noLeak,
  referenceCounts,
  gracePeriod,
  locks,
  memoryMap,
  collapseAndSplit,
  dirtyLogging,
  pageOwners,
  staleTranslations,
  publication,
  boundedWalks,
  logOrder,
];
