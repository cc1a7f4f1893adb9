import { isTable } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { ReadEvent, Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { TABLE_STATE } from '../shadow/tables.ts';
import { remembered } from '../words.ts';

/** Software accesses to a slot of a table page, besides reads. */
const TOUCHES = [K.descriptorStored, K.descriptorReleased, K.descriptorSwapped, K.descriptorSwapFailed];

/** I1: a walker never touches a table page that was freed, not even when the page is a table again. */
export const useAfterFree: Rule = {
  id: 'I1',
  name: 'no use after free',
  prose:
    'No software walker reads, writes or compares-and-exchanges a descriptor of a table page after the page was freed. A walker that ' +
    'came to a table stays with that incarnation: once the page was freed and handed out again, it must not touch the new table by the old way. ' +
    'Nor does a walker go on into a table that it has unlinked itself, to map something there.',
  source:
    'Linux hyp/pgtable.c __kvm_pgtable_walk() under rcu_read_lock, __kvm_pgtable_visit() (the entry is read again after TABLE_PRE); the April 2022 thread "Tear down unlinked page tables in parallel walk"',
  state:
    'per frame: state, generation, last free; per actor and level: table and generation it came by; per actor: the table it unlinked last',
  attach(site) {
    const { tables, actors } = site.world;
    const touched = (e: ReadEvent): void => {
      const p = e.place;
      if (p < 0) {
        if (tables.stateOf(e.table) === TABLE_STATE.freed) gone(site, e);
        return;
      }
      const at = actors.path(e.actor, tables.level[p]!);
      if (actors.pathFrame[at] === e.table && actors.pathGeneration[at] !== tables.generation[e.table]) renewed(site, e, at);
    };
    site.on.reads(touched);
    /** The table that each actor unlinked last in its present walk. */
    const unlinked = site.keep(() => new ActorNumbers(NONE));
    const generation = site.keep(() => new ActorNumbers(NONE));
    site.on.before(TOUCHES, (e) => {
      touched(e);
      const p = e.place;
      if (p < 0 || e.kind === K.descriptorSwapFailed) return;
      const itsOwn = unlinked.of(e.actor) === e.table && generation.of(e.actor) === tables.generation[e.table];
      if (itsOwn && (e.newLo & 1) !== 0 && tables.linked[p] === 0) own(site, e);
      if ((e.wasLo & 3) === 3 && isTable(e.wasLo, tables.level[p]!) && !isTable(e.newLo, tables.level[p]!)) {
        const child = site.world.childFrame(e.wasLo, e.wasHi);
        unlinked.set(e.actor, child);
        generation.set(e.actor, tables.generationOf(child));
      }
    });
    site.on.before([K.walkBegan], (e) => unlinked.clear(e.actor));
  },
};

const NONE = -1;

/** The walker itself made sure that nobody comes here any more. */
function own({ world, report }: RuleSite, e: EventCursor): void {
  const unlinkedAt = world.tables.unlinkedAt[e.place]!;
  report(e, () => ({
    because: `the walker unlinked table ${e.table} itself and went on into it: what it maps there nobody finds, and the table may be freed under it`,
    witness: [remembered(unlinkedAt, world, e.actor, `unlinked table ${e.table}`)],
  }));
}

/** The page is no table any more. */
function gone({ world, report }: RuleSite, e: ReadEvent): void {
  const { tables } = world;
  const freedAt = tables.freedAt[e.table]!;
  report(e, () => ({
    because: `table ${e.table} was freed by event ${freedAt} and a walker touched it afterwards`,
    witness: [remembered(freedAt, world, tables.freedBy[e.table]!, `freed table ${e.table}`)],
  }));
}

/** The page is another table than the one that the walker came to, at `at` of its path. */
function renewed({ world, report }: RuleSite, e: ReadEvent, at: number): void {
  const { tables, actors } = world;
  const freedAt = tables.freedAt[e.table]!;
  report(e, () => ({
    because: `the walker came to table ${e.table} before the page was freed (event ${freedAt}) and touched it after it was a new table`,
    witness: [
      remembered(actors.pathSeq[at]!, world, e.actor, `came to table ${e.table}`),
      remembered(freedAt, world, tables.freedBy[e.table]!, `freed table ${e.table}`),
      { seq: tables.allocatedAt[e.place]!, text: `table ${e.table} was allocated again` },
    ],
  }));
}
