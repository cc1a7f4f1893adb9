import { K } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { isCounted, TABLE_STATE } from '../shadow/tables.ts';
import { remembered } from '../words.ts';

/** What actors owe or are owed: stores that changed how much a table holds, against references taken and dropped. */
class Balances {
  count = 0;
  actor: number[] = [];
  frame: number[] = [];
  delta: number[] = [];
  since: number[] = [];

  add(actor: number, frame: number, delta: number, seq: number): void {
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.actor[i] !== actor || this.frame[i] !== frame) continue;
      this.delta[i]! += delta;
      if (this.delta[i] === 0) this.remove(i);
      return;
    }
    const i = this.count;
    this.actor[i] = actor;
    this.frame[i] = frame;
    this.delta[i] = delta;
    this.since[i] = seq;
    this.count = i + 1;
  }

  remove(i: number): void {
    const last = this.count - 1;
    this.actor[i] = this.actor[last]!;
    this.frame[i] = this.frame[last]!;
    this.delta[i] = this.delta[last]!;
    this.since[i] = this.since[last]!;
    this.count = last;
  }
}

/** I7: the reference count of a table says what it holds. */
export const referenceCounts: Rule = {
  id: 'I7',
  name: 'reference counts equal contents',
  prose:
    'A table page starts with one reference and has one more for every descriptor in it that is neither empty nor locked. Each walker that ' +
    'changes how many there are takes or drops the same number of references before it has nothing open any more (break and make may lie between). ' +
    'Counts go up and down by one, never reach zero while the table is reachable, and are zero when it is freed (a root page: at most one).',
  source: 'Linux 7.2 hyp/pgtable.c stage2_pte_is_counted(), stage2_make_pte(), stage2_try_break_pte(), stage2_unmap_put_pte()',
  state: 'per live table: count and counted descriptors; per actor: open differences between the two',
  attach(site) {
    const { on, world, report } = site;
    const { tables } = world;
    const balances = new Balances();
    on.before([K.referenceGot, K.referencePut, K.referenceRead], (e) => counted(site, balances, e));
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if (e.place < 0) return;
      const change = (isCounted(e.newLo, e.newHi) ? 1 : 0) - (isCounted(e.wasLo, e.wasHi) ? 1 : 0);
      if (change !== 0) balances.add(e.actor, e.table, -change, e.seq);
    });
    on.before([K.tableFreed], (e) => {
      for (let i = balances.count - 1; i >= 0; i--) if (balances.frame[i] === e.table) balances.remove(i);
      const p = e.place;
      if (p < 0) return;
      const left = tables.references[p]!;
      if (left === 0 || (left === 1 && tables.isRoot[p] === 1)) return;
      report(e, () => ({ because: `table ${e.table} was freed with a reference count of ${left}`, witness: [] }));
    });
    on.idle((e) => {
      for (let i = balances.count - 1; i >= 0; i--) if (balances.actor[i] === e.actor) settle(site, balances, i, e);
    });
  },
};

function counted({ world, report }: RuleSite, balances: Balances, e: EventCursor): void {
  const { tables } = world;
  const p = e.place;
  const now = e.arg | 0;
  if (p < 0) {
    if (tables.stateOf(e.table) !== TABLE_STATE.freed) return;
    const freedAt = tables.freedAt[e.table]!;
    report(e, () => ({
      because: `the reference count of table ${e.table} was used after the page was freed`,
      witness: [remembered(freedAt, world, tables.freedBy[e.table]!, `freed table ${e.table}`)],
    }));
    return;
  }
  const step = e.kind === K.referenceGot ? 1 : e.kind === K.referencePut ? -1 : 0;
  const expected = tables.references[p]! + step;
  if (now !== expected) {
    report(e, () => ({
      because: `the reference count of table ${e.table} is ${now} but the events before make it ${expected}`,
      witness: [],
    }));
  } else if (step < 0 && now < 1 && tables.reachable(p)) {
    report(e, () => ({ because: `the last reference of table ${e.table} was dropped while walkers can still come to it`, witness: [] }));
  }
  if (step !== 0) balances.add(e.actor, e.table, step, e.seq);
}

function settle({ world, report }: RuleSite, balances: Balances, i: number, e: EventCursor): void {
  const { tables } = world;
  const frame = balances.frame[i]!;
  const delta = balances.delta[i]!;
  const since = balances.since[i]!;
  balances.remove(i);
  const p = tables.place(frame);
  // The teardown of a sub-tree drops references and leaves the descriptors; its end is judged when each table is freed.
  if (p < 0 || !tables.reachable(p)) return;
  const what = `${Math.abs(delta)} reference${Math.abs(delta) === 1 ? '' : 's'} too ${delta > 0 ? 'many' : 'few'}`;
  report(e, () => ({
    because: `table ${frame} is left with ${what} for what this walker wrote to it (count ${tables.references[p]}, ${tables.counted[p]} counted descriptors)`,
    witness: [remembered(since, world, e.actor, `changed what table ${frame} holds or its count`)],
  }));
}
