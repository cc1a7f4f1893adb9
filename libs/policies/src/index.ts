import type { ReclaimPolicy } from '@s2lab/engine';
import { eager } from './eager/eager.ts';
import { epoch } from './epoch/epoch.ts';
import { hazard } from './hazard/hazard.ts';
import { hypLock } from './hyp-lock/hyp-lock.ts';
import { rcu } from './rcu/rcu.ts';
import { refs } from './refs/refs.ts';
import { refsNaive } from './refs-naive/refs-naive.ts';
import { rwlock } from './rwlock/rwlock.ts';
import { v61 } from './v6.1/v6.1.ts';

/** All reclaim policies: the one place where a policy is registered. */
export const POLICIES: readonly ReclaimPolicy[] = [rcu, rwlock, hypLock, refsNaive, refs, hazard, epoch, eager, v61];

/**
 * The policy called `name`.
 * @throws RangeError that lists the names there are
 */
export function policyByName(name: string): ReclaimPolicy {
  const policy = POLICIES.find((candidate) => candidate.name === name);
  if (policy === undefined) throw new RangeError(`policy '${name}' does not exist; there are ${POLICIES.map((p) => p.name).join(', ')}`);
  return policy;
}
