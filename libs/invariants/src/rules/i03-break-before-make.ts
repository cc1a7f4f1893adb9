import { HI_SOFTWARE, HI_XN, hexAddress, isTable, LO_ACCESSED, LO_READ, LO_WRITE } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { FLUSH, PendingFlushes } from '../shadow/pending-flushes.ts';
import { descriptorWords, remembered } from '../words.ts';

/** DBM, bit 51: with S2AP it says whether hardware may make the page writable; a permission. */
const HI_DBM = 0x0008_0000;

/** Bits that may change while the descriptor stays valid: permissions, access flag, software use. Everything else needs a break. */
const FREE_LO = LO_READ | LO_WRITE | LO_ACCESSED;
const FREE_HI = HI_XN | HI_SOFTWARE | HI_DBM;

const WRITES = [K.descriptorStored, K.descriptorReleased, K.descriptorSwapped, K.descriptorHardwareUpdated];

const MISSING: Readonly<Record<number, string>> = {
  [FLUSH.stored]: 'no DSB made the store visible before a TLBI',
  [FLUSH.visible]: 'no TLBI of its address, level and VMID followed the store',
  [FLUSH.stage2Issued]: 'the TLBI was not completed by a DSB ISH',
  [FLUSH.stage2Done]: 'the combined stage-1 entries were not invalidated after it',
  [FLUSH.stage1Issued]: 'the last TLBI was not completed by a DSB ISH',
};

/**
 * Whether replacing the valid descriptor `before` by the valid `after` in one slot needs break-before-make. Differences are given as
 * the exclusive-or of the halves. Changed output address, size (block, table), memory type, shareability or contiguous hint do.
 * @source Arm ARM DDI 0487, "Using break-before-make when updating translation table entries"
 */
export function needsBreak(differentLo: number, differentHi: number): boolean {
  return (differentLo & ~FREE_LO) !== 0 || (differentHi & ~FREE_HI) !== 0;
}

/** I3: break-before-make wherever Arm's rules demand it. */
export const breakBeforeMake: Rule = {
  id: 'I3',
  name: 'break before make',
  prose:
    'A valid descriptor that hardware can reach changes its output address, size, memory type, shareability or contiguous hint, or its ' +
    'next-level table, only through an invalid descriptor, a DSB, a TLBI of the right scope and a DSB ISH. A descriptor that was made invalid is ' +
    'flushed before anything valid covers its addresses again, before a table that it led to is freed, and at the latest when the walker that did ' +
    'it has nothing open any more.',
  source:
    'Arm ARM DDI 0487, "Using break-before-make when updating translation table entries", "TLB maintenance operations"; Linux hyp/pgtable.c stage2_try_break_pte(), stage2_unmap_put_pte(), nvhe/tlb.c',
  state: 'ranges of addresses whose old translation may be cached, each with how far its invalidation has come',
  attach(site) {
    const { on, world } = site;
    const pending = site.keep(() => new PendingFlushes());
    on.before(WRITES, (e) => change(site, pending, e));
    on.before([K.tlbiIssued], (e) => {
      if (pending.count > 0) pending.invalidate(e.arg, e.actor, e.stage2, e.ipa, e.aux * world.pageBytes, e.level);
    });
    on.before([K.dsbCompleted], (e) => {
      if (pending.count > 0) pending.barrier(e.actor, e.arg);
    });
    on.before([K.tableFreed], (e) => {
      if (pending.count > 0 && e.place >= 0) freed(site, pending, e);
    });
    on.before([K.stage2Destroyed], (e) => {
      for (let i = pending.count - 1; i >= 0; i--) if (pending.stage2[i] === e.stage2) pending.remove(i);
    });
    on.idle((e) => {
      for (let i = pending.count - 1; i >= 0; i--) if (pending.actor[i] === e.actor) overdue(site, pending, i, e);
    });
  },
};

function change(site: RuleSite, pending: PendingFlushes, e: EventCursor): void {
  const { tables } = site.world;
  const { place: p, wasLo, wasHi } = e;
  if (p < 0) return;
  if ((wasLo & 1) === 0) {
    if ((e.newLo & 1) !== 0 && pending.count > 0) made(site, pending, p, e);
    return;
  }
  if ((e.newLo & 1) === 0) {
    broken(site, pending, p, wasLo, wasHi, e);
    return;
  }
  if (needsBreak(wasLo ^ e.newLo, wasHi ^ e.newHi) && tables.reachable(p)) unbroken(site, e, tables.level[p]!);
}

function unbroken(site: RuleSite, e: EventCursor, level: number): void {
  const { wasLo, wasHi } = e;
  site.report(e, () => ({
    because: `${descriptorWords(wasLo, wasHi, level)} was replaced by ${descriptorWords(e.newLo, e.newHi, level)} without a break: hardware may use both at once`,
    witness: [],
  }));
}

function broken(site: RuleSite, pending: PendingFlushes, p: number, lo: number, hi: number, e: EventCursor): void {
  const { world } = site;
  const { tables } = world;
  // What hardware cannot reach was flushed with the table above it, or was never cached.
  if (!tables.reachable(p)) return;
  const level = tables.level[p]!;
  const table = isTable(lo, level);
  const child = table ? tables.place(world.childFrame(lo, hi)) : -1;
  const whole = child >= 0 && tables.valid[child]! > 0;
  pending.add(world.slotIpa(p, e.slot), world.span(level), level, table, whole, tables.stage2[p]!, e.actor, e.seq, lo, hi);
}

function made(site: RuleSite, pending: PendingFlushes, p: number, e: EventCursor): void {
  const { world } = site;
  const ipa = world.slotIpa(p, e.slot);
  const i = pending.overlapping(world.tables.stage2[p]!, ipa, ipa + world.span(world.tables.level[p]!));
  if (i >= 0 && world.tables.reachable(p)) madeTooSoon(site, pending, i, e);
}

function madeTooSoon(site: RuleSite, pending: PendingFlushes, i: number, e: EventCursor): void {
  const missing = MISSING[pending.stage[i]!]!;
  site.report(e, () => ({
    because: `a valid descriptor covers ${hexAddress(pending.from[i]!)} again while its old translation may still be cached: ${missing}`,
    witness: [breakWords(site, pending, i)],
  }));
  pending.remove(i);
}

/** A table page goes back to the allocator: whoever unlinked it has flushed the link, or hardware may still go by it into what the page becomes. */
function freed(site: RuleSite, pending: PendingFlushes, e: EventCursor): void {
  const unlinkedAt = site.world.tables.unlinkedAt[e.place]!;
  const i = pending.unlinkOf(unlinkedAt);
  if (i < 0) return;
  const missing = MISSING[pending.stage[i]!]!;
  site.report(e, () => ({
    because: `table ${e.table} was freed while hardware may still have its link cached: ${missing}`,
    witness: [breakWords(site, pending, i)],
  }));
  pending.remove(i);
}

function overdue(site: RuleSite, pending: PendingFlushes, i: number, e: EventCursor): void {
  const missing = MISSING[pending.stage[i]!]!;
  site.report(e, () => ({
    because: `the translation of [${hexAddress(pending.from[i]!)}, ${hexAddress(pending.to[i]!)}) was removed but never flushed: ${missing}`,
    witness: [breakWords(site, pending, i)],
  }));
  pending.remove(i);
}

function breakWords(site: RuleSite, pending: PendingFlushes, i: number): { seq: number; text: string } {
  const old = descriptorWords(pending.oldLo[i]!, pending.oldHi[i]!, pending.level[i]!);
  return remembered(
    pending.since[i]!,
    site.world,
    pending.actor[i]!,
    `removed ${old} that translated ${hexAddress(pending.from[i]!)} at level ${pending.level[i]!}`,
  );
}
