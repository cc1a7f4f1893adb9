import { isLocked } from '@s2lab/arch';
import { K, LOCK_MODE, WALK_FLAG } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { grown, TABLE_STATE } from '../shadow/tables.ts';
import type { World } from '../shadow/world.ts';
import { actorName, remembered } from '../words.ts';

/** What actors owe or hold, by table: stores that changed how much a table holds, against references taken and dropped. */
export class Balances {
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
    'A table page starts with one reference and has one more for every descriptor in it that is neither empty nor locked, nor a leaf of a ' +
    'stage-2 whose leaves hold none. Each walker that ' +
    'changes how many there are takes or drops the same number of references before it has nothing open any more (break and make may lie between). ' +
    'Counts go up and down by one, never reach zero while the table is reachable, and are zero when it is freed (a root page: at most one). ' +
    'Where walkers share the tables, a locked descriptor is counted before it is made, and no reference is dropped that a descriptor still needs. ' +
    'References that walkers take on a page to keep it are counted apart, from one for the link that leads to it: none is taken once that count ' +
    'was zero, each walker drops what it took before it has nothing open any more, and a page is not freed while a walker holds one.',
  source:
    'Linux 7.2 hyp/pgtable.c stage2_pte_is_counted(), stage2_make_pte(), stage2_try_break_pte(), stage2_unmap_put_pte(); ' +
    'android14-6.1 host_stage2_pte_is_counted()',
  state:
    'per live table: count and counted descriptors; per actor: open differences between the two, references it holds; per frame: who holds it',
  attach(site) {
    const { on, world, report } = site;
    const { tables } = world;
    const balances = site.keep(() => new Balances());
    on.before([K.referenceGot, K.referencePut, K.referenceRead], (e) => counted(site, balances, e));
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if (e.place < 0) return;
      const change = (tables.isCounted(e.place, e.newLo, e.newHi) ? 1 : 0) - (tables.isCounted(e.place, e.wasLo, e.wasHi) ? 1 : 0);
      if (change === 0) return;
      balances.add(e.actor, e.table, -change, e.seq);
      if (change > 0 && tables.references[e.place]! <= tables.counted[e.place]! + 1 && isLocked(e.wasLo, e.wasHi) && hasCompany(world, e))
        uncovered(site, e, e.place, 1);
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
    judgeHolders(site);
  },
};

function counted(site: RuleSite, balances: Balances, e: EventCursor): void {
  const { tables } = site.world;
  const p = e.place;
  const now = e.arg | 0;
  if (p < 0) {
    if (tables.stateOf(e.table) === TABLE_STATE.freed) countedAfterFree(site, e);
    return;
  }
  const step = e.kind === K.referenceGot ? 1 : e.kind === K.referencePut ? -1 : 0;
  if (now !== tables.references[p]! + step) miscounted(site, e, tables.references[p]! + step);
  else if (step < 0 && now <= tables.counted[p]! && (now < 1 || hasCompany(site.world, e))) uncovered(site, e, p, 0);
  if (step !== 0) balances.add(e.actor, e.table, step, e.seq);
}

function countedAfterFree({ world, report }: RuleSite, e: EventCursor): void {
  const freedAt = world.tables.freedAt[e.table]!;
  report(e, () => ({
    because: `the reference count of table ${e.table} was used after the page was freed`,
    witness: [remembered(freedAt, world, world.tables.freedBy[e.table]!, `freed table ${e.table}`)],
  }));
}

function miscounted({ report }: RuleSite, e: EventCursor, expected: number): void {
  report(e, () => ({
    because: `the reference count of table ${e.table} is ${e.arg | 0} but the events before make it ${expected}`,
    witness: [],
  }));
}

/** Whether others may change the tables at the same time as the actor. */
function hasCompany({ actors, readsWhatIsStored }: World, e: EventCursor): boolean {
  // Counts are seen at once, stores perhaps not.
  if (!readsWhatIsStored) return false;
  if (actors.inSection[e.actor] === 1 || actors.lockMode(e.actor, e.stage2) === LOCK_MODE.read) return true;
  const top = actors.top(e.actor);
  return top >= 0 && (actors.walkFlags[top]! & WALK_FLAG.shared) !== 0;
}

/** Fewer references than descriptors, `more` of which the event adds: whoever drops the next one may find the table empty. */
function uncovered({ world, report }: RuleSite, e: EventCursor, p: number, more: number): void {
  const { tables } = world;
  if (!tables.reachable(p)) return;
  report(e, () => ({
    because:
      more === 0 && (e.arg | 0) < 1
        ? `the last reference of table ${e.table} was dropped while walkers can still come to it`
        : `table ${e.table} holds ${tables.counted[p]! + more} counted descriptors now but has only ${more === 0 ? e.arg | 0 : tables.references[p]} references, one of them its own`,
    witness: [],
  }));
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

/** How many hold each table page. */
export class Holders {
  private counts = new Int32Array(0);

  of(frame: number): number {
    return frame < this.counts.length ? this.counts[frame]! : 0;
  }

  set(frame: number, count: number): void {
    if (frame >= this.counts.length) this.counts = grown(this.counts, new Int32Array(Math.max(16, 2 * frame)));
    this.counts[frame] = count;
  }
}

/** References of walkers on pages: per frame, because they outlive the page (a walker may take one on a page that was handed out again). */
function judgeHolders({ on, world, report, keep }: RuleSite): void {
  const { tables } = world;
  const held = keep(() => new Balances());
  const holders = keep(() => new Holders());
  on.after([K.tableAllocated, K.tableReused], (e) => {
    if (tables.place(e.table) < 0) return;
    holders.set(e.table, 1);
  });
  on.before([K.walkerReferenceGot, K.walkerReferencePut], (e) => {
    // A page that was never a table is none of this log's tables; the log itself is I17's matter.
    if (tables.stateOf(e.table) === TABLE_STATE.unknown) return;
    const before = holders.of(e.table);
    const step = e.kind === K.walkerReferenceGot ? 1 : -1;
    const now = e.arg | 0;
    holders.set(e.table, now);
    if (step > 0 || e.aux === 0) held.add(e.actor, e.table, step, e.seq);
    if (now !== before + step) {
      const because = `table ${e.table} is held ${now} times but the events before make it ${before + step}`;
      report(e, () => ({ because, witness: [] }));
    } else if (step > 0 && before === 0) {
      const because = `a walker took a reference on table ${e.table} that nobody held any more: it may be freed at any moment`;
      report(e, () => ({ because, witness: [] }));
    }
  });
  on.before([K.tableFreed], (e) => {
    for (let i = held.count - 1; i >= 0; i--) {
      if (held.frame[i] !== e.table || held.delta[i]! < 1) continue;
      const actor = held.actor[i]!;
      const since = held.since[i]!;
      report(e, () => ({
        because: `table ${e.table} was freed while ${actorName(actor, world.vcpus)} holds a reference on it`,
        witness: [remembered(since, world, actor, `took a reference on table ${e.table}`)],
      }));
      held.remove(i);
    }
  });
  on.idle((e) => {
    for (let i = held.count - 1; i >= 0; i--) {
      if (held.actor[i] !== e.actor) continue;
      const frame = held.frame[i]!;
      const since = held.since[i]!;
      const kept = held.delta[i]! > 0;
      held.remove(i);
      report(e, () => ({
        because: `the walker ended and ${kept ? 'kept a reference' : 'had dropped a reference it never took'} on table ${frame}`,
        witness: [remembered(since, world, e.actor, `${kept ? 'took' : 'dropped'} a reference on table ${frame}`)],
      }));
    }
  });
}
