import { hexAddress } from '@s2lab/arch';
import { ACCESS, K } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { DirtyBitmap } from '../shadow/dirty-log.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { grown } from '../shadow/tables.ts';
import { remembered } from '../words.ts';
import { judgeWriteProtection } from './i12-write-protection.ts';

/** A write that another vCPU's open fault still has to log. */
interface Owed {
  readonly memslot: DirtyBitmap;
  readonly page: number;
  readonly seq: number;
  readonly writer: number;
  /** Actor whose fault may log it. */
  by: number;
}

/** Open write faults: which page each actor's fault is about, and since when. */
export class FaultPages {
  private ipa = new Float64Array(8).fill(-1);
  private since = new Float64Array(8);

  begin(actor: number, ipa: number, seq: number): void {
    if (actor >= this.ipa.length) {
      const size = 2 * (actor + 1);
      this.ipa = grown(this.ipa, new Float64Array(size).fill(-1));
      this.since = grown(this.since, new Float64Array(size));
    }
    this.ipa[actor] = ipa;
    this.since[actor] = seq;
  }

  end(actor: number): void {
    if (actor < this.ipa.length) this.ipa[actor] = -1;
  }

  /** An actor whose fault at `ipa`, a multiple of the page size, was open at `before`; or -1. */
  about(ipa: number, before: number): number {
    for (let actor = 0; actor < this.ipa.length; actor++) if (this.ipa[actor] === ipa && this.since[actor]! < before) return actor;
    return -1;
  }
}

/** I12: while a memslot is logged, no write of the guest is missed. */
export const dirtyLogging: Rule = {
  id: 'I12',
  name: 'no write goes unlogged',
  prose:
    'While a memslot is logged, a page that the guest writes is dirty: its bit was set since it was last cleared (all bits count as set at first if ' +
    'logging began so), or a fault at that page, open at the write, sets it before it ends. Exempt are writes while the operation that switches ' +
    'logging on, or that cleared the bit of the page, has not ended: its write protection and its flush may be still to come, and who reads the ' +
    'log reads the page after it. When it ends, no page whose bit is clear is writable but by a fault that will set it, and what was ' +
    'write-protected is flushed.',
  source:
    'Linux arch/arm64/kvm/mmu.c kvm_mmu_wp_memory_region(), kvm_arch_mmu_enable_log_dirty_pt_masked(), kvm_s2_fault_map() (mark_page_dirty_in_slot after the lock); virt/kvm/kvm_main.c kvm_clear_dirty_log_protect()',
  state:
    'per logged memslot: a bit a page, open operations; per actor: page of its open write fault; writes that an open fault owes; write-protected ranges whose old translation may still be cached',
  attach(site) {
    const { on, world } = site;
    const { dirtyLogs } = world;
    const faults = site.keep(() => new FaultPages());
    const owed = site.keep((): Owed[] => []);
    on.before([K.faultTaken], (e) => {
      if ((e.aux & ACCESS.write) !== 0) faults.begin(e.actor, world.pageDown(e.ipa), e.seq);
    });
    on.before([K.guestAccessed], (e) => {
      if (dirtyLogs.logging > 0 && (e.arg & ACCESS.write) !== 0) wrote(site, faults, owed, e);
    });
    on.after([K.pageDirtied], () => {
      for (let i = owed.length - 1; i >= 0; i--) if (owed[i]!.memslot.has(owed[i]!.page)) owed.splice(i, 1);
    });
    on.before([K.faultHandled, K.guestAborted], (e) => {
      faults.end(e.actor);
      for (let i = owed.length - 1; i >= 0; i--) if (owed[i]!.by === e.actor) due(site, faults, owed, i, e);
    });
    on.after([K.dirtyLogStopped, K.memslotDeleted], () => {
      for (let i = owed.length - 1; i >= 0; i--) if (!owed[i]!.memslot.logging) owed.splice(i, 1);
    });
    judgeWriteProtection(site, (ipa, before) => faults.about(ipa, before) >= 0);
  },
};

function wrote(site: RuleSite, faults: FaultPages, owed: Owed[], e: EventCursor): void {
  const { dirtyLogs } = site.world;
  const memslot = dirtyLogs.at(e.ipa);
  if (memslot === undefined) return;
  const page = dirtyLogs.page(memslot, e.ipa);
  if (!memslot.has(page) && !dirtyLogs.unsettled(memslot, page)) wroteUnlogged(site, faults, owed, e, memslot, page);
}

function wroteUnlogged(site: RuleSite, faults: FaultPages, owed: Owed[], e: EventCursor, memslot: DirtyBitmap, page: number): void {
  const { ipa } = e;
  if (owed.some((debt) => debt.memslot === memslot && debt.page === page)) return;
  const by = faults.about(site.world.pageDown(ipa), e.seq);
  if (by >= 0) {
    owed.push({ memslot, page, seq: e.seq, writer: e.actor, by });
    return;
  }
  const { startedAt, id } = memslot;
  site.report(e, () => ({
    because: `the guest wrote to the page at ${hexAddress(ipa)} while memslot ${id} is logged, but its dirty bit is not set and nobody sets it`,
    witness: [{ seq: startedAt, text: `dirty logging of memslot ${id} began` }],
  }));
}

/** The fault that might have logged write `i` ends without having done so: another one may, or the write is lost. */
function due(site: RuleSite, faults: FaultPages, owed: Owed[], i: number, e: EventCursor): void {
  const { world } = site;
  const debt = owed[i]!;
  const { memslot, page, seq, writer } = debt;
  const ipa = memslot.ipa + page * world.pageBytes;
  const by = faults.about(ipa, seq);
  if (by >= 0) {
    debt.by = by;
    return;
  }
  owed.splice(i, 1);
  site.report(e, () => ({
    because: `the guest wrote to the page at ${hexAddress(ipa)} while memslot ${memslot.id} is logged, and the fault at that page ended without setting its dirty bit`,
    witness: [
      { seq: memslot.startedAt, text: `dirty logging of memslot ${memslot.id} began` },
      remembered(seq, world, writer, `wrote to the page at ${hexAddress(ipa)}`),
    ],
  }));
}
