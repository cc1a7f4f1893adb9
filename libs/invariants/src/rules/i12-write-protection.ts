import { hexAddress, LO_WRITE } from '@s2lab/arch';
import { K, OPERATION, RESULT } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { DirtyBitmap } from '../shadow/dirty-log.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { PendingFlushes } from '../shadow/pending-flushes.ts';
import { isLeaf } from '../shadow/tables.ts';
import { firstWritable, found } from '../shadow/translate.ts';
import type { World } from '../shadow/world.ts';
import { descriptorWords, remembered, slotWords } from '../words.ts';

const LEAF = found();

/** Whether a write fault at the page at `ipa`, open since before event `before`, will set its dirty bit. */
type AboutToLog = (ipa: number, before: number) => boolean;

/** When an operation that switched logging on, or cleared dirty bits, ends: the pages can be written by nobody unseen. */
export function judgeWriteProtection(site: Parameters<Rule['attach']>[0], aboutToLog: AboutToLog): void {
  const { on, world } = site;
  // A store that is seen late may be told after its flush was issued.
  if (!world.readsWhatIsStored) return;
  const protections = site.keep(() => new PendingFlushes());
  on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
    if (world.dirtyLogs.logging > 0 && (e.wasLo & ~e.newLo & LO_WRITE) !== 0 && isLogging(world, e.actor)) lowered(world, protections, e);
  });
  on.before([K.tlbiIssued], (e) => {
    if (protections.count > 0) protections.invalidate(e.arg, e.actor, e.stage2, e.ipa, e.aux * world.pageBytes, e.level);
  });
  on.before([K.dsbCompleted], (e) => {
    if (protections.count > 0) protections.barrier(e.actor, e.arg);
  });
  on.before([K.operationEnded], (e) => {
    for (let i = protections.count - 1; i >= 0; i--) if (protections.actor[i] === e.actor) unflushed(site, protections, i, e);
    if ((e.aux | 0) !== RESULT.ok || world.dirtyLogs.logging === 0 || !isLogging(world, e.actor)) return;
    world.dirtyLogs.eachUnsettled(e.actor, (memslot, from, to) => unprotected(site, aboutToLog, memslot, from, to, e));
  });
}

/** Whether the actor's operation write-protects what is logged. */
export function isLogging({ actors }: World, actor: number): boolean {
  const operation = actors.operation[actor];
  return operation === OPERATION.dirtyLogOn || operation === OPERATION.dirtyLogClear;
}

function lowered(world: World, protections: PendingFlushes, e: EventCursor): void {
  const { tables } = world;
  const { place: p, wasLo, wasHi } = e;
  if (p < 0 || !tables.reachable(p)) return;
  const level = tables.level[p]!;
  if (!isLeaf(wasLo, level) || !isLeaf(e.newLo, level)) return;
  protections.add(world.slotIpa(p, e.slot), world.span(level), level, false, false, tables.stage2[p]!, e.actor, e.seq, wasLo, wasHi);
}

function unflushed(site: RuleSite, protections: PendingFlushes, i: number, e: EventCursor): void {
  const { world } = site;
  const from = protections.from[i]!;
  const since = protections.since[i]!;
  protections.remove(i);
  const memslot = world.dirtyLogs.at(from);
  if (memslot === undefined) return;
  site.report(e, () => ({
    because: `${hexAddress(from)} of logged memslot ${memslot.id} was write-protected but not flushed: vCPUs may write to it by what they have cached and nobody logs it`,
    witness: [remembered(since, world, e.actor, `write-protected ${hexAddress(from)}`)],
  }));
}

/** Tells the first page of [from, to) of the memslot that is clean and writable. */
function unprotected(site: RuleSite, aboutToLog: AboutToLog, memslot: DirtyBitmap, from: number, to: number, e: EventCursor): void {
  const { world } = site;
  const { pageBytes } = world;
  const end = memslot.ipa + to * pageBytes;
  for (let ipa = memslot.ipa + from * pageBytes; ipa < end && firstWritable(world, e.stage2, ipa, end, LEAF);) {
    const next = LEAF.ipa + world.span(LEAF.level);
    for (let page = Math.max(ipa, LEAF.ipa); page < Math.min(next, end); page += pageBytes) {
      if (memslot.has(world.dirtyLogs.page(memslot, page)) || aboutToLog(page, e.seq)) continue;
      const { table, slot, level, lo, hi } = LEAF;
      site.report(e, () => ({
        because: `the page at ${hexAddress(page)} of logged memslot ${memslot.id} is clean, but ${slotWords(table, slot, level)} is ${descriptorWords(lo, hi, level)}, which may be written without a fault`,
        witness: [{ seq: memslot.startedAt, text: `dirty logging of memslot ${memslot.id} began` }],
      }));
      return;
    }
    ipa = next;
  }
}
