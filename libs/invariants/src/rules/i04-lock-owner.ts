import { isLocked } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { Rule } from '../rule.ts';
import { actorName, remembered, slotWords } from '../words.ts';

/** I4: a locked descriptor belongs to who locked it. */
export const lockOwner: Rule = {
  id: 'I4',
  name: 'a locked descriptor has one owner',
  prose:
    'A descriptor that holds the locked marker is written only by the walker that locked it, and that walker replaces it before it has nothing open any more.',
  source: 'Linux 7.2 hyp/pgtable.c stage2_try_break_pte(), stage2_make_pte(), KVM_INVALID_PTE_TYPE_LOCKED',
  state: 'the slots locked now: owner and moment',
  attach({ on, world, report }) {
    const { locked, tables } = world;
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if (locked.count === 0) return;
      const at = locked.find(e.table, e.slot);
      if (at < 0 || (locked.actor[at] === e.actor && !isLocked(e.newLo, e.newHi))) return;
      const owner = locked.actor[at]!;
      report(e, () => ({
        because:
          owner === e.actor
            ? 'the owner of a locked descriptor locked it again'
            : `the descriptor was locked by ${actorName(owner, world.vcpus)}, who alone may replace it`,
        witness: [remembered(locked.since[at]!, world, owner, `locked ${slotWords(e.table, e.slot, e.level)}`)],
      }));
    });
    on.idle((e) => {
      for (let at = locked.count - 1; at >= 0; at--) {
        if (locked.actor[at] !== e.actor) continue;
        const frame = locked.frame[at]!;
        const p = tables.place(frame);
        if (p < 0 || !tables.reachable(p)) continue;
        report(e, () => ({
          because: 'the walker ended and left a descriptor locked: every other walker will be turned away from it for ever',
          witness: [remembered(locked.since[at]!, world, e.actor, `locked ${slotWords(frame, locked.slot[at]!, tables.level[p]!)}`)],
        }));
      }
    });
  },
};
