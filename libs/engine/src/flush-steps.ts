import { isAligned } from '@s2lab/arch';
import { DSB, INJECTED, K, TLBI } from '@s2lab/events';
import { assert } from './assert.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/** TLB maintenance functions of the kernel, by what they invalidate. @source Linux arch/arm64/kvm/hyp/nvhe/tlb.c */
export const FLUSH = {
  /** __kvm_tlb_flush_vmid_ipa: one address, everywhere. */
  ipa: 1,
  /** __kvm_tlb_flush_vmid_ipa_nsh: one address, this core. */
  ipaLocal: 2,
  /** kvm_tlb_flush_vmid_range: [ipa, ipa + bytes), or everything without FEAT_TLBIRANGE. */
  range: 3,
  /** __kvm_tlb_flush_vmid: everything of the VMID. */
  vmid: 4,
} as const;

/** Most pages one call flushes by range. @source Linux MAX_TLBI_RANGE_PAGES */
const RANGE_PAGES_MAX = 2 ** 21;

/** Starts a TLB flush of the walker; it goes on at `flushReturn` after its last barrier. `level` is the hint, -1 unknown. */
export function flush(
  machine: Machine,
  walker: Walker,
  kind: number,
  ipa: number,
  bytes: number,
  level: number,
  flushReturn: number,
): void {
  walker.flushKind = kind === FLUSH.range && !machine.config.tlbRange ? FLUSH.vmid : kind;
  walker.flushIpa = ipa;
  walker.flushPages = Math.ceil(bytes / machine.world.shape.pageBytes);
  walker.flushLevel = level;
  walker.flushReturn = flushReturn;
  walker.pc = PC.flushFirst;
}

/** One barrier or TLBI of a flush. The order is the kernel's: stage 2 is complete everywhere before stage 1 is invalidated. */
export function stepFlush(machine: Machine, walker: Walker): void {
  const local = walker.flushKind === FLUSH.ipaLocal;
  switch (walker.pc) {
    case PC.flushFirst:
      machine.note(walker, K.dsbCompleted, 0, local ? DSB.nsh : DSB.ish, 0);
      walker.flushScale = 3;
      walker.pc = PC.flushEnter;
      return;
    // The VMID is switched to the guest's: the TLBIs below must see it.
    case PC.flushEnter:
      machine.note(walker, K.isbCompleted, 0, 0, 0);
      walker.pc = PC.flushRange;
      return;
    case PC.flushRange:
      stageTwo(machine, walker);
      return;
    case PC.flushSync:
      sync(machine, walker);
      walker.pc = PC.flushCombined;
      return;
    case PC.flushCombined:
      machine.commit(walker, K.tlbiIssued, -1, 0, 0, 0, 0, 0, 0, 0, local ? TLBI.vmalle1 : TLBI.vmalle1is, 0);
      walker.pc = PC.flushLast;
      return;
    case PC.flushLast:
      sync(machine, walker);
      walker.pc = PC.flushIsb;
      return;
    case PC.flushIsb:
      lastBarrier(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no flush step at pc ${walker.pc}`);
  }
}

function sync(machine: Machine, walker: Walker): void {
  const local = walker.flushKind === FLUSH.ipaLocal;
  machine.note(walker, K.dsbCompleted, 0, local ? DSB.nsh : DSB.ish, 0);
  if (!local) awaitCompletion(machine, walker);
}

/** Every core of the domain must answer. Fault injection: one of them is slow. */
function awaitCompletion(machine: Machine, walker: Walker): void {
  machine.spendInvalidation();
  if (walker.slowTlbiNs === 0) return;
  machine.note(walker, K.faultInjected, 0, INJECTED.slowTlbi, walker.slowTlbiNs);
  machine.spend(walker.slowTlbiNs);
  walker.slowTlbiNs = 0;
}

function stageTwo(machine: Machine, walker: Walker): void {
  switch (walker.flushKind) {
    case FLUSH.vmid:
      machine.commit(walker, K.tlbiIssued, -1, 0, 0, 0, 0, 0, 0, 0, TLBI.vmalls12e1is, 0);
      walker.pc = PC.flushLast;
      return;
    case FLUSH.range:
      rangeInstruction(machine, walker);
      return;
    default: {
      const op = walker.flushKind === FLUSH.ipaLocal ? TLBI.ipas2e1 : TLBI.ipas2e1is;
      machine.commit(walker, K.tlbiIssued, walker.flushLevel, 0, 0, 0, 0, 0, 0, walker.flushIpa, op, 0);
      walker.pc = PC.flushSync;
    }
  }
}

/**
 * Next piece of a range: from the largest scale down, (num + 1) * 2^(5 * scale + 1) pages each, a single page by address.
 * @source Linux arch/arm64/include/asm/tlbflush.h __flush_tlb_range_op(), __TLBI_RANGE_NUM(); golden/tlbi
 */
function rangeInstruction(machine: Machine, walker: Walker): void {
  const { pageBytes } = machine.world.shape;
  const call = Math.min(walker.flushPages, RANGE_PAGES_MAX);
  // With LPA2 a range must begin at a multiple of 64 KiB: pages before it go one by one.
  if (call === 1 || (machine.config.lpa2 && !isAligned(walker.flushIpa, 0x1_0000))) {
    machine.commit(walker, K.tlbiIssued, -1, 0, 0, 0, 0, 0, 0, walker.flushIpa, TLBI.ipas2e1is, 0);
    advanceRange(walker, 1, pageBytes);
    return;
  }
  for (let scale = walker.flushScale; scale >= 0; scale -= 1) {
    const shift = 5 * scale + 1;
    const num = (Math.min(call, 32 * 2 ** shift) >>> shift) - 1;
    if (num < 0) continue;
    const pages = (num + 1) * 2 ** shift;
    machine.commit(walker, K.tlbiIssued, -1, 0, 0, 0, 0, 0, 0, walker.flushIpa, TLBI.ripas2e1is, pages);
    walker.flushScale = scale - 1;
    advanceRange(walker, pages, pageBytes);
    return;
  }
  assert(false, `a range of ${call} pages is left at scale ${walker.flushScale}`);
}

function advanceRange(walker: Walker, pages: number, pageBytes: number): void {
  walker.flushIpa += pages * pageBytes;
  walker.flushPages -= pages;
  // A call that covers the most pages is one instruction; what remains is the next call, with barriers of its own.
  walker.pc = pages === RANGE_PAGES_MAX || walker.flushPages === 0 ? PC.flushSync : PC.flushRange;
}

function lastBarrier(machine: Machine, walker: Walker): void {
  machine.note(walker, K.isbCompleted, 0, 0, 0);
  walker.pc = walker.flushKind === FLUSH.range && walker.flushPages > 0 ? PC.flushFirst : walker.flushReturn;
}
