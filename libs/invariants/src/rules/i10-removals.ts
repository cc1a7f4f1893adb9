import { hexAddress, isTable } from '@s2lab/arch';
import { K, OP, OPERATION, RESULT } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { grown } from '../shadow/tables.ts';
import { firstLeaf, found } from '../shadow/translate.ts';
import { descriptorWords, remembered, slotWords } from '../words.ts';

const LEAF = found();

/** The range of each actor's operation, and when anybody last mapped something. */
export class UnmapRanges {
  private from = new Float64Array(8);
  private to = new Float64Array(8);
  private since = new Float64Array(8).fill(-1);
  /** The last event that made a descriptor valid. */
  lastMade = -1;

  begin(actor: number, from: number, to: number, seq: number): void {
    if (actor >= this.since.length) {
      const size = 2 * (actor + 1);
      this.from = grown(this.from, new Float64Array(size));
      this.to = grown(this.to, new Float64Array(size));
      this.since = grown(this.since, new Float64Array(size).fill(-1));
    }
    this.from[actor] = from;
    this.to[actor] = to;
    this.since[actor] = seq;
  }

  /** When the actor's operation began; it is over now. -1 if there was none. */
  end(actor: number): number {
    const since = actor < this.since.length ? this.since[actor]! : -1;
    if (since >= 0) this.since[actor] = -1;
    return since;
  }

  start(actor: number): number {
    return this.from[actor]!;
  }

  stop(actor: number): number {
    return this.to[actor]!;
  }
}

/** A range that was to be unmapped is. Returns what is to be told of descriptors that become valid. */
export function judgeRemovals(site: Parameters<Rule['attach']>[0]): UnmapRanges {
  const { on } = site;
  const ranges = site.keep(() => new UnmapRanges());
  on.before([K.operationBegan], (e) => {
    if (e.arg === OPERATION.unmapRange) ranges.begin(e.actor, e.ipa, e.ipa + e.bytes, e.seq);
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
  const since = ranges.end(e.actor);
  // What was mapped meanwhile may have come after the pages were taken out.
  if (since < 0 || (e.aux | 0) < RESULT.ok || ranges.lastMade > since) return;
  if (!firstLeaf(world, e.stage2, ranges.start(e.actor), ranges.stop(e.actor), LEAF)) return;
  site.report(e, () => ({
    because: `the operation ended well but ${hexAddress(LEAF.ipa)} is still mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)} in ${slotWords(LEAF.table, LEAF.slot, LEAF.level)}`,
    witness: [remembered(since, world, e.actor, 'began to unmap the range')],
  }));
}
