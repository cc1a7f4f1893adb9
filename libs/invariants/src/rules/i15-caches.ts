import { hexAddress, isNormalMemory, mayExecute } from '@s2lab/arch';
import { K, OP, WALK_FLAG } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor, Handler } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { isLeaf } from '../shadow/tables.ts';
import { OPEN } from '../shadow/world.ts';
import type { World } from '../shadow/world.ts';

/** The memory that each actor maintained last, one cache of it, until it maps it. */
interface Maintained {
  readonly from: ActorNumbers;
  readonly to: ActorNumbers;
}

const nothing = (): Maintained => ({ from: new ActorNumbers(0), to: new ActorNumbers(0) });

function maintain({ from, to }: Maintained, e: EventCursor): void {
  from.set(e.actor, e.pa);
  to.set(e.actor, e.pa + e.bytes);
}

/** Whether the last maintenance of `actor` took in [pa, pa + bytes). */
function takesIn({ from, to }: Maintained, actor: number, pa: number, bytes: number): boolean {
  return from.of(actor) <= pa && to.of(actor) >= pa + bytes;
}

/**
 * What the guest is given was written back before, and what it may execute is not in the instruction cache any more.
 * @returns what must see every descriptor that is written and valid
 */
export function judgeCaches(site: Parameters<Rule['attach']>[0]): Handler {
  const { on, world } = site;
  // A store that is seen late is told when others have been cleaned for.
  if (!world.readsWhatIsStored) return () => {};
  const cleaned = site.keep(nothing);
  const invalidated = site.keep(nothing);
  on.before([K.dcacheCleaned], (e) => maintain(cleaned, e));
  on.before([K.icacheInvalidated], (e) => maintain(invalidated, e));
  return (e) => {
    if (e.place < 0 || world.stage2(e.stage2)?.cleansCaches !== true) return;
    const level = world.tables.level[e.place] === -1 ? e.level : world.tables.level[e.place]!;
    if (!isLeaf(e.newLo, level) || !world.tables.reachable(e.place)) return;
    mapped(site, cleaned, invalidated, e, level);
    // What was done for one mapping does not count for the next.
    cleaned.to.clear(e.actor);
    invalidated.to.clear(e.actor);
  };
}

function mapped(site: RuleSite, cleaned: Maintained, invalidated: Maintained, e: EventCursor, level: number): void {
  const { world } = site;
  const pa = world.output(e.newLo, e.newHi);
  const bytes = world.span(level);
  const executes = mayExecute(e.newHi);
  if (isLeaf(e.wasLo, level) && world.output(e.wasLo, e.wasHi) === pa) {
    if (executes && !mayExecute(e.wasHi) && !takesIn(invalidated, e.actor, pa, bytes))
      told(site, e, pa, 'may be executed', 'the instruction cache was not invalidated');
    return;
  }
  if (!mapsAnew(world, e)) return;
  const normal = isNormalMemory(e.newLo, world.stage2(e.stage2)!.leaves);
  if (normal && !takesIn(cleaned, e.actor, pa, bytes)) told(site, e, pa, 'is mapped', 'it was not cleaned out of the data cache');
  if (executes && !takesIn(invalidated, e.actor, pa, bytes))
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
