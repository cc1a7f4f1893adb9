import { DSB, TLBI } from '@s2lab/events';

/** Where the instructions of a TLB maintenance call go, in program order. */
export interface InstructionSink {
  /** `level` -1 = no hint; `pages` only for ranges. */
  tlbi(op: number, ipa: number, level: number, pages: number): void;
  dsb(domain: number): void;
  isb(): void;
}

/** Scales a range TLBI can have: a piece of scale s and number n covers (n + 1) << (5s + 1) pages. @source Arm ARM DDI 0487 C5.5, TLBI RIPAS2E1IS */
const TOP_SCALE = 3;
const MOST_UNITS = 32;

/** Most pages of one call by range: a larger range is more calls. @source Linux 7.2 asm/tlbflush.h MAX_TLBI_RANGE_PAGES, hyp/pgtable.c kvm_tlb_flush_vmid_range() */
export const RANGE_PAGES_MAX: number = MOST_UNITS * 2 ** (5 * TOP_SCALE + 1);

/**
 * The instructions behind a call that invalidates one IPA, broadcast or on this core only.
 * @source Linux 7.2 hyp/nvhe/tlb.c __kvm_tlb_flush_vmid_ipa(), __kvm_tlb_flush_vmid_ipa_nsh()
 */
export function flushIpa(sink: InstructionSink, ipa: number, level: number, local: boolean): void {
  const domain = local ? DSB.nsh : DSB.ish;
  sink.dsb(domain);
  sink.isb();
  sink.tlbi(local ? TLBI.ipas2e1 : TLBI.ipas2e1is, ipa, level, 0);
  sink.dsb(domain);
  sink.tlbi(local ? TLBI.vmalle1 : TLBI.vmalle1is, 0, -1, 0);
  sink.dsb(domain);
  sink.isb();
}

/** The instructions behind a call that invalidates a whole VMID. @source Linux 7.2 hyp/nvhe/tlb.c __kvm_tlb_flush_vmid() */
export function flushVmid(sink: InstructionSink): void {
  sink.dsb(DSB.ish);
  sink.isb();
  sink.tlbi(TLBI.vmalls12e1is, 0, -1, 0);
  sink.dsb(DSB.ish);
  sink.isb();
}

/**
 * The instructions behind a call that invalidates `pages` pages from `ipa` on: pieces from the largest scale down, single pages one by one.
 * With LPA2 a range must start at a multiple of 64 KiB, so that pages before it go one by one.
 * @param pages 1 to RANGE_PAGES_MAX
 * @throws RangeError when there are more
 * @source Linux 7.2 hyp/nvhe/tlb.c __kvm_tlb_flush_vmid_range(), asm/tlbflush.h __flush_tlb_range_op()
 */
export function flushRange(sink: InstructionSink, ipa: number, pages: number, pageShift: number, lpa2: boolean): void {
  if (pages > RANGE_PAGES_MAX) throw new RangeError(`a range of ${pages} pages: one call invalidates ${RANGE_PAGES_MAX} at most`);
  const pageBytes = 2 ** pageShift;
  sink.dsb(DSB.ish);
  sink.isb();
  let at = ipa;
  let left = pages;
  let scale = TOP_SCALE;
  while (left > 0) {
    if (left === 1 || (lpa2 && at % 0x1_0000 !== 0)) {
      sink.tlbi(TLBI.ipas2e1is, at, -1, 0);
      at += pageBytes;
      left -= 1;
      continue;
    }
    const unit = 2 ** (5 * scale + 1);
    const number = Math.min(Math.floor(left / unit), MOST_UNITS) - 1;
    if (number >= 0) {
      const covered = (number + 1) * unit;
      sink.tlbi(TLBI.ripas2e1is, at, -1, covered);
      at += covered * pageBytes;
      left -= covered;
    }
    scale -= 1;
  }
  sink.dsb(DSB.ish);
  sink.tlbi(TLBI.vmalle1is, 0, -1, 0);
  sink.dsb(DSB.ish);
  sink.isb();
}
