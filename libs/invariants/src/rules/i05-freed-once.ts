import { K } from '@s2lab/events';
import type { Rule } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { TABLE_STATE } from '../shadow/tables.ts';
import type { World } from '../shadow/world.ts';
import type { WitnessLine } from '../verdict.ts';
import { remembered, slotWords } from '../words.ts';

/** I5: a table page is freed exactly once, and only when nothing leads to it. */
export const freedOnce: Rule = {
  id: 'I5',
  name: 'freed once, when unreachable',
  prose:
    'A table page is freed exactly once, only after no chain of table descriptors from a root leads to it, and not while live tables hang ' +
    'below it. A page that is a table is not handed out a second time, and no page is linked that was freed.',
  source: 'Linux hyp/pgtable.c kvm_pgtable_stage2_free_unlinked(), stage2_unmap_walker(); mmu.c kvm_s2_put_page()',
  state: 'per live table: link to its parent slot, number of live children; per frame: state and last free',
  attach({ on, world, report }) {
    const { tables } = world;
    on.before([K.tableFreed], (e) => {
      const p = e.place;
      if (p < 0) {
        const twice = tables.stateOf(e.table) === TABLE_STATE.freed;
        report(e, () => ({
          because: twice ? `table ${e.table} was freed twice` : `page ${e.table} was freed as a table but never allocated as one`,
          witness: twice ? [remembered(tables.freedAt[e.table]!, world, tables.freedBy[e.table]!, `freed table ${e.table}`)] : [],
        }));
        return;
      }
      if (tables.reachable(p))
        report(e, () => ({
          because: `table ${e.table} was freed while walkers can still come to it from the root`,
          witness: linkWords(world, p, e),
        }));
      if (tables.children[p]! > 0) {
        report(e, () => ({
          because: `table ${e.table} was freed while ${tables.children[p]} live table(s) hang below it`,
          witness: childWords(world, p),
        }));
      }
    });
    on.before([K.tableLinked], (e) => {
      if (e.place >= 0 || tables.stateOf(e.table) !== TABLE_STATE.freed) return;
      report(e, () => ({
        because: `a descriptor leads to table ${e.table}, which was freed`,
        witness: [remembered(tables.freedAt[e.table]!, world, tables.freedBy[e.table]!, `freed table ${e.table}`)],
      }));
    });
    on.before([K.tableAllocated, K.tableReused], (e) => {
      const p = e.place;
      if (p < 0) return;
      report(e, () => ({
        because: `page ${e.table} was handed out as a new table while it was still in use as one`,
        witness: [{ seq: tables.allocatedAt[p]!, text: `table ${e.table} was allocated` }],
      }));
    });
  },
};

function linkWords(world: World, p: number, e: EventCursor): readonly WitnessLine[] {
  const { tables } = world;
  if (tables.isRoot[p] === 1) return [{ seq: tables.allocatedAt[p]!, text: `table ${e.table} became a root page` }];
  const parent = tables.parentPlace(p);
  return [
    {
      seq: tables.linkedAt[p]!,
      text: `table ${e.table} was linked below ${slotWords(tables.parentFrame[p]!, tables.parentSlot[p]!, parent < 0 ? -1 : tables.level[parent]!)}`,
    },
  ];
}

function childWords(world: World, p: number): readonly WitnessLine[] {
  const { tables } = world;
  for (let child = 0; child < tables.placeLimit; child++) {
    if (tables.frameOf[child]! < 0 || tables.linked[child] !== 1 || tables.parentPlace(child) !== p) continue;
    return [
      {
        seq: tables.linkedAt[child]!,
        text: `table ${tables.frameOf[child]} was linked below ${slotWords(tables.frameOf[p]!, tables.parentSlot[child]!, tables.level[p]!)}`,
      },
    ];
  }
  return [];
}
