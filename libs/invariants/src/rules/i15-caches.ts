import { hexAddress, isNormalMemory, mayExecute } from '@s2lab/arch';
import { K, OP, WALK_FLAG } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor, Handler } from '../shadow/event-cursor.ts';
import { grown, isLeaf } from '../shadow/tables.ts';
import { OPEN } from '../shadow/world.ts';
import type { World } from '../shadow/world.ts';

/** What each actor cleaned out of the data cache last, and what it invalidated in the instruction cache last, until it maps it. */
export class Maintained {
  private cleanFrom = new Float64Array(8);
  private cleanTo = new Float64Array(8);
  private fetchFrom = new Float64Array(8);
  private fetchTo = new Float64Array(8);

  clean(actor: number, pa: number, bytes: number): void {
    this.see(actor);
    this.cleanFrom[actor] = pa;
    this.cleanTo[actor] = pa + bytes;
  }

  invalidate(actor: number, pa: number, bytes: number): void {
    this.see(actor);
    this.fetchFrom[actor] = pa;
    this.fetchTo[actor] = pa + bytes;
  }

  /** Whether the last cleaning of `actor` took in [pa, pa + bytes). */
  isClean(actor: number, pa: number, bytes: number): boolean {
    return actor < this.cleanTo.length && this.cleanFrom[actor]! <= pa && this.cleanTo[actor]! >= pa + bytes;
  }

  /** Whether the last invalidation of `actor` took in [pa, pa + bytes). */
  isInvalid(actor: number, pa: number, bytes: number): boolean {
    return actor < this.fetchTo.length && this.fetchFrom[actor]! <= pa && this.fetchTo[actor]! >= pa + bytes;
  }

  /** What was done for one mapping does not count for the next. */
  forget(actor: number): void {
    if (actor >= this.cleanTo.length) return;
    this.cleanTo[actor] = 0;
    this.fetchTo[actor] = 0;
  }

  private see(actor: number): void {
    if (actor < this.cleanTo.length) return;
    const size = 2 * (actor + 1);
    this.cleanFrom = grown(this.cleanFrom, new Float64Array(size));
    this.cleanTo = grown(this.cleanTo, new Float64Array(size));
    this.fetchFrom = grown(this.fetchFrom, new Float64Array(size));
    this.fetchTo = grown(this.fetchTo, new Float64Array(size));
  }
}

/**
 * What the guest is given was written back before, and what it may execute is not in the instruction cache any more.
 * @returns what must see every descriptor that is written and valid
 */
export function judgeCaches(site: Parameters<Rule['attach']>[0]): Handler {
  const { on, world } = site;
  // A store that is seen late is told when others have been cleaned for.
  if (!world.readsWhatIsStored) return () => {};
  const maintained = site.keep(() => new Maintained());
  on.before([K.dcacheCleaned], (e) => maintained.clean(e.actor, e.pa, e.bytes));
  on.before([K.icacheInvalidated], (e) => maintained.invalidate(e.actor, e.pa, e.bytes));
  return (e) => {
    if (e.place < 0 || world.stage2(e.stage2)?.cleansCaches !== true) return;
    const level = world.tables.level[e.place] === -1 ? e.level : world.tables.level[e.place]!;
    if (!isLeaf(e.newLo, level) || !world.tables.reachable(e.place)) return;
    mapped(site, maintained, e, level);
    maintained.forget(e.actor);
  };
}

function mapped(site: RuleSite, maintained: Maintained, e: EventCursor, level: number): void {
  const { world } = site;
  const pa = world.output(e.newLo, e.newHi);
  const bytes = world.span(level);
  const executes = mayExecute(e.newHi);
  if (isLeaf(e.wasLo, level) && world.output(e.wasLo, e.wasHi) === pa) {
    if (executes && !mayExecute(e.wasHi) && !maintained.isInvalid(e.actor, pa, bytes))
      told(site, e, pa, 'may be executed', 'the instruction cache was not invalidated');
    return;
  }
  if (!mapsAnew(world, e)) return;
  const normal = isNormalMemory(e.newLo, world.stage2(e.stage2)!.leaves);
  if (normal && !maintained.isClean(e.actor, pa, bytes)) told(site, e, pa, 'is mapped', 'it was not cleaned out of the data cache');
  if (executes && !maintained.isInvalid(e.actor, pa, bytes))
    told(site, e, pa, 'may be executed', 'the instruction cache was not invalidated');
}

/** Whether the actor maps what the guest asked for: not what was mapped before in another way, nor what was cleaned before the walk. */
function mapsAnew({ actors }: World, e: EventCursor): boolean {
  const top = actors.top(e.actor);
  if (top < 0) return (actors.openOperations[e.actor]! & (OPEN.fault | OPEN.operation)) !== 0;
  return actors.walkOp[top] === OP.map && (actors.walkFlags[top]! & WALK_FLAG.skipCmo) === 0;
}

function told({ report }: RuleSite, e: EventCursor, pa: number, what: string, lacks: string): void {
  report(e, () => ({
    because: `memory at ${hexAddress(pa)} ${what} but ${lacks} before: the guest may find what was there earlier`,
    witness: [],
  }));
}
