import { isTable } from '@s2lab/arch';
import { DSB, K, OP } from '@s2lab/events';
import type { Rule } from '../rule.ts';
import { grown } from '../shadow/tables.ts';
import { remembered } from '../words.ts';

const NEVER = -1;

/** The last new valid descriptor of each actor that no DSB has followed. */
export class OpenStores {
  private since = new Float64Array(8).fill(NEVER);

  of(actor: number): number {
    return actor < this.since.length ? this.since[actor]! : NEVER;
  }

  set(actor: number, seq: number): void {
    if (actor >= this.since.length) this.since = grown(this.since, new Float64Array(2 * (actor + 1)).fill(NEVER));
    this.since[actor] = seq;
  }

  clear(actor: number): void {
    if (actor < this.since.length) this.since[actor] = NEVER;
  }
}

/** I15: what is linked was published. */
export const publication: Rule = {
  id: 'I15',
  name: 'publish before link, complete before return',
  prose:
    'A table is linked by a store-release or a compare-and-exchange, so that whoever follows the link sees what was written into it. A walk ' +
    'that maps or splits ends with a DSB (ISHST or ISH) after its last new valid descriptor, so that hardware walkers see it before the guest goes on.',
  source:
    'Arm ARM DDI 0487, "Ordering and completion of translation table walks" and DSB; Linux hyp/pgtable.c stage2_make_pte() (smp_store_release), kvm_pgtable_stage2_map() (dsb(ishst))',
  state: 'per actor: the last new valid descriptor that no DSB has followed',
  attach({ on, world, report, keep }) {
    const { tables, actors } = world;
    const open = keep(() => new OpenStores());
    on.before([K.descriptorStored], (e) => {
      const p = e.place;
      if (p < 0 || !isTable(e.newLo, tables.level[p]!)) return;
      report(e, () => ({
        because: 'a table was linked by a plain store: a walker that follows the link may see what the page held before',
        witness: [],
      }));
    });
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if ((e.newLo & 1) === 0) return;
      const top = actors.top(e.actor);
      const op = top < 0 ? OP.map : actors.walkOp[top]!;
      if (op !== OP.map && op !== OP.split && op !== OP.recover) return;
      if (e.place < 0 || (e.wasLo & 1) !== 0 || !tables.reachable(e.place)) return;
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
