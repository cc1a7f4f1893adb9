import { isLocked, isTable, LO_ACCESSED } from '@s2lab/arch';
import { DSB, K, OP } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { remembered, slotWords } from '../words.ts';
import { judgeCaches } from './i15-caches.ts';

const NEVER = -1;

/** I15: what is linked was published. */
export const publication: Rule = {
  id: 'I15',
  name: 'publish before link, complete before return',
  prose:
    'A table is linked by a store-release or a compare-and-exchange, so that whoever follows the link sees what was written into it; so is every ' +
    'locked descriptor made. A walk that maps, splits or makes young ' +
    'ends with a DSB (ISHST or ISH) after its last new valid descriptor or access flag, so that hardware walkers see it before the guest goes on. ' +
    'Memory that is mapped was cleaned out of the data cache before, unless FWB spares it, and memory that may be executed was invalidated in the instruction cache.',
  source:
    'Arm ARM DDI 0487, "Ordering and completion of translation table walks" and DSB; Linux hyp/pgtable.c stage2_make_pte() (smp_store_release), kvm_pgtable_stage2_map() (dsb(ishst)), stage2_map_walker_try_leaf() (dcache_clean_inval_poc, icache_inval_pou), stage2_attr_walker()',
  state: 'per actor: the last new valid descriptor that no DSB has followed; what it cleaned and invalidated last',
  attach(site) {
    const { on, world, report, keep } = site;
    const { tables, actors } = world;
    /** The last new valid descriptor of each actor that no DSB has followed. */
    const open = keep(() => new ActorNumbers(NEVER));
    const judgeMapping = judgeCaches(site);
    on.before([K.descriptorStored], (e) => {
      const p = e.place;
      if (p < 0) return;
      if (!isTable(e.newLo, tables.level[p]!)) {
        if ((e.newLo & 1) !== 0 && isLocked(e.wasLo, e.wasHi)) plainlyMade(site, e);
        return;
      }
      report(e, () => ({
        because: 'a table was linked by a plain store: a walker that follows the link may see what the page held before',
        witness: [],
      }));
    });
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if ((e.newLo & 1) === 0) return;
      judgeMapping(e);
      const top = actors.top(e.actor);
      const op = top < 0 ? OP.map : actors.walkOp[top]!;
      if (op !== OP.map && op !== OP.split && op !== OP.recover && op !== OP.mkyoung) return;
      // A descriptor that was valid is seen as it was until then, but for its access flag: the guest would fault again.
      const young = (e.wasLo & LO_ACCESSED) === 0 && (e.newLo & LO_ACCESSED) !== 0;
      if (e.place < 0 || ((e.wasLo & 1) !== 0 && !young) || !tables.reachable(e.place)) return;
      open.set(e.actor, e.seq);
    });
    on.before([K.dsbCompleted], (e) => {
      if (e.arg === DSB.ish || e.arg === DSB.ishst) open.clear(e.actor);
    });
    on.idle((e) => {
      const since = open.of(e.actor);
      if (since < 0) return;
      open.clear(e.actor);
      report(e, () => ({
        because: 'the walk returned without a DSB after its last store: hardware walkers need not see the new descriptor',
        witness: [remembered(since, world, e.actor, 'made a descriptor valid')],
      }));
    });
  },
};

/** What is made of a locked descriptor is told to others by the store itself. */
function plainlyMade({ world, report }: RuleSite, e: EventCursor): void {
  const at = world.locked.find(e.table, e.slot);
  report(e, () => ({
    because: 'a locked descriptor was made by a plain store: who sees it need not see what its walker did before',
    witness:
      at < 0 ? [] : [remembered(world.locked.since[at]!, world, world.locked.actor[at]!, `locked ${slotWords(e.table, e.slot, e.level)}`)],
  }));
}
