import { K } from '@s2lab/events';
import type { Rule } from '../rule.ts';
import { actorName, remembered } from '../words.ts';

/** I8: a deferred free waits for the read-side sections that could see the table. */
export const gracePeriod: Rule = {
  id: 'I8',
  name: 'frees wait for readers',
  prose:
    'A table page that was reachable is freed only when every read-side section that began before it was unlinked has ended: also the ' +
    'section of the walker that unlinked it.',
  source: 'Linux Documentation/RCU/whatisRCU.rst; mmu.c stage2_free_unlinked_table() (call_rcu)',
  state: 'per actor: whether and since when it is in a read-side section; per live table: when its sub-tree was unlinked',
  attach({ on, world, report }) {
    const { tables, actors } = world;
    on.before([K.tableFreed], (e) => {
      if (actors.openSections === 0) return;
      const p = e.place;
      const head = p < 0 ? -1 : tables.top(p);
      if (head < 0 || tables.unlinkedAt[head]! < 0) return;
      const unlinkedAt = tables.unlinkedAt[head]!;
      for (let actor = 0; actor < actors.count; actor++) {
        const since = actors.sectionSince[actor]!;
        // A section protects the tables of the stage-2 it is for.
        if (actors.inSection[actor] === 0 || since >= unlinkedAt || actors.sectionStage2[actor] !== e.stage2) continue;
        report(e, () => ({
          because: `table ${e.table} was freed while ${actorName(actor, world.vcpus)} is still in a read-side section that began before the table was unlinked`,
          witness: [
            remembered(since, world, actor, 'entered its read-side section'),
            { seq: unlinkedAt, text: `the sub-tree of table ${tables.frameOf[head]} was unlinked` },
          ],
        }));
      }
    });
  },
};
