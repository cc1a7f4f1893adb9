import { hexAddress, isTable } from '@s2lab/arch';
import { K, OP, OPERATION, RESULT } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { firstLeaf, found } from '../shadow/translate.ts';
import { descriptorWords, remembered, slotWords } from '../words.ts';

const LEAF = found();
const NEVER = -1;

/** What is kept of operations that unmap a range. */
export interface UnmapRanges {
  /** The range of each actor's operation, and when it began. */
  readonly from: ActorNumbers;
  readonly to: ActorNumbers;
  readonly since: ActorNumbers;
  /** The last event that made a descriptor valid. */
  lastMade: number;
}

/** A range that was to be unmapped is. Returns what is to be told of descriptors that become valid. */
export function judgeRemovals(site: Parameters<Rule['attach']>[0]): UnmapRanges {
  const { on } = site;
  const ranges = site.keep((): UnmapRanges => ({
    from: new ActorNumbers(0),
    to: new ActorNumbers(0),
    since: new ActorNumbers(NEVER),
    lastMade: NEVER,
  }));
  on.before([K.operationBegan], (e) => {
    if (e.arg !== OPERATION.unmapRange) return;
    ranges.from.set(e.actor, e.ipa);
    ranges.to.set(e.actor, e.ipa + e.bytes);
    ranges.since.set(e.actor, e.seq);
  });
  on.before([K.operationEnded], (e) => {
    if (e.arg === OPERATION.unmapRange) unmapped(site, ranges, e);
  });
  return ranges;
}

/** A valid descriptor becomes invalid: what is taken out of the tables was to be taken out. */
export function removed(site: RuleSite, e: EventCursor): void {
  const { world } = site;
  const { actors, tables } = world;
  const top = actors.top(e.actor);
  if (top < 0 || e.place < 0 || !world.readsWhatIsStored || !tables.reachable(e.place)) return;
  const level = tables.level[e.place]!;
  const ipa = world.slotIpa(e.place, e.slot);
  const end = ipa + world.span(level);
  const from = world.pageDown(actors.walkIpa[top]!);
  const to = world.pageUp(actors.walkIpa[top]! + actors.walkBytes[top]!);
  if (end <= from || ipa >= to) {
    lost(site, e, top, `[${hexAddress(ipa)}, ${hexAddress(end)}) is outside the range of the walk that removed its mapping`);
    return;
  }
  if (actors.walkOp[top] !== OP.unmap || !isTable(e.wasLo, level) || (from <= ipa && to >= end)) return;
  const child = tables.place(world.childFrame(e.wasLo, e.wasHi));
  if (child >= 0 && tables.valid[child]! > 0)
    lost(site, e, top, `an unmap unlinked table ${tables.frameOf[child]}, which still maps more than was to be unmapped`);
}

function lost({ world, report }: RuleSite, e: EventCursor, top: number, because: string): void {
  report(e, () => ({ because, witness: [remembered(world.actors.walkSince[top]!, world, e.actor, 'began the walk')] }));
}

function unmapped(site: RuleSite, ranges: UnmapRanges, e: EventCursor): void {
  const { world } = site;
  const since = ranges.since.of(e.actor);
  ranges.since.clear(e.actor);
  // What was mapped meanwhile may have come after the pages were taken out.
  if (since < 0 || (e.aux | 0) < RESULT.ok || ranges.lastMade > since) return;
  if (!firstLeaf(world, e.stage2, ranges.from.of(e.actor), ranges.to.of(e.actor), LEAF)) return;
  site.report(e, () => ({
    because: `the operation ended well but ${hexAddress(LEAF.ipa)} is still mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)} in ${slotWords(LEAF.table, LEAF.slot, LEAF.level)}`,
    witness: [remembered(since, world, e.actor, 'began to unmap the range')],
  }));
}
