/** What a walk does. Values of `arg` in `walk-began`. @source Linux kvm_pgtable_stage2_*() of the same name */
export const OP = {
  map: 1,
  unmap: 2,
  wrprotect: 3,
  relax: 4,
  mkyoung: 5,
  age: 6,
  split: 7,
  annotate: 8,
  destroy: 9,
  flush: 10,
  leaf: 11,
  /** Teardown of an unlinked sub-tree (kernel: kvm_pgtable_stage2_free_unlinked). */
  freeUnlinked: 12,
  /** Building of a sub-tree that is not linked yet (kernel: kvm_pgtable_stage2_create_unlinked). */
  createUnlinked: 13,
  /** Breaks and empties each descriptor whose table could be a block (x86: zap_collapsible_spte_range). */
  zap: 14,
  /** Replaces each table that could be a block by that block: one walk breaks, after one flush another makes (x86: recover_huge_pages_range). */
  recover: 15,
  /** Look whether a range of a guest holds nothing (kernel: __guest_check_page_state_range). */
  check: 16,
} as const;

/** Walk flags, bits of `aux` in `walk-began`. @source Linux 7.2 enum kvm_pgtable_walk_flags */
export const WALK_FLAG = { leaf: 1, tablePre: 2, tablePost: 4, shared: 8, ignoreEagain: 16, skipBbmTlbi: 32, skipCmo: 64 } as const;

/** Bits of `features`, the `aux` of `stage2-created`. */
export const FEATURE = {
  fwb: 1,
  tlbRange: 2,
  lpa2: 4,
  xnx: 8,
  asStage1: 16,
  identity: 32,
  hardwareAccessFlag: 64,
  uncountedLeaves: 128,
  /** Cache maintenance is told of every mapping, also where FWB makes it needless. */
  tellsCaches: 256,
} as const;

/** Position of the PROT bits in `aux` of a map or relax walk: `aux >>> PROT_SHIFT`. */
export const PROT_SHIFT = 16;

/** Outcomes of walks and fault handling as `arg`, negative Linux errno in two's complement (`arg | 0` gives the number). */
export const RESULT = {
  ok: 0,
  eperm: -1,
  enoent: -2,
  e2big: -7,
  eagain: -11,
  enomem: -12,
  efault: -14,
  ebusy: -16,
  eexist: -17,
  einval: -22,
  erange: -34,
  ehwpoison: -133,
} as const;

/**
 * How stores of one core become visible to the others, `level` of `machine-started`: at once; late, in the order in which they were made; late, in
 * any order but for releases and barriers.
 */
export const MEMORY = { sc: 0, tso: 1, pso: 2 } as const;

/** Host operations, `arg` of `operation-began`: what the VMM thread was asked to do. */
export const OPERATION = {
  unmapRange: 1,
  dirtyLogOn: 2,
  dirtyLogOff: 3,
  dirtyLogClear: 4,
  memslotCreate: 5,
  memslotDelete: 6,
  ageRange: 7,
  destroy: 8,
  map: 9,
  unmap: 10,
  wrprotect: 11,
  relax: 12,
  mkyoung: 13,
  split: 14,
  annotate: 15,
  flush: 16,
  tlbFlush: 17,
  waitGracePeriod: 18,
  testAgeRange: 19,
  /** The hypervisor of pKVM: what the host asks of it. @source Linux nvhe/mem_protect.c, nvhe/pkvm.c, functions of the same names */
  hostFault: 20,
  hostShareHyp: 21,
  hostUnshareHyp: 22,
  hostDonateHyp: 23,
  hypDonateHost: 24,
  hostShareFfa: 25,
  hostUnshareFfa: 26,
  guestInit: 27,
  topUpMemcache: 28,
  hostDonateGuest: 29,
  hostShareGuest: 30,
  hostUnshareGuest: 31,
  hostReclaim: 32,
  hostForceReclaim: 33,
  guestShareHost: 34,
  guestUnshareHost: 35,
  relaxGuest: 36,
  wrprotectGuest: 37,
  youngGuest: 38,
  mkyoungGuest: 39,
  guestDestroy: 40,
  hostLeaf: 41,
} as const;

/** TLB invalidations, `arg` of `tlbi-issued`, by Arm's names. @source Arm ARM DDI 0487 C5.5; Linux nvhe/tlb.c */
export const TLBI = {
  /** One IPA, all cores of the inner shareable domain, stage 2 only. */
  ipas2e1is: 1,
  /** One IPA, this core only. */
  ipas2e1: 2,
  /** A range of IPAs (`aux` pages), inner shareable. */
  ripas2e1is: 3,
  /** All stage-1 (combined) entries of this VMID, inner shareable. */
  vmalle1is: 4,
  /** All stage-1 (combined) entries of this VMID, this core only. */
  vmalle1: 5,
  /** Everything of this VMID, both stages, inner shareable. */
  vmalls12e1is: 6,
} as const;

/** Data synchronisation barriers, `arg` of `dsb-completed`. */
export const DSB = { ish: 1, ishst: 2, nsh: 3, nshst: 4 } as const;

/** Kind of a stage-2 fault, `arg` of `fault-taken`. @source Arm ARM ESR_EL2.ISS fault status codes */
export const FAULT = { translation: 1, permission: 2, accessFlag: 3 } as const;

/** Kind of an access, bits: `arg` of `guest-accessed`, `aux` of `fault-taken`. */
export const ACCESS = { read: 1, write: 2, execute: 4 } as const;

/** Modes of a lock, `aux` of the lock events. */
export const LOCK_MODE = { read: 1, write: 2 } as const;

/** Locks, `arg` of the lock events: the lock of the stage-2 named in the event, of the hypervisor's own map, of the table of guests. */
export const LOCK = { mmu: 0, hyp: 1, vmTable: 2 } as const;

/** Who has a page, `component` of the pKVM events. @source Linux nvhe/mem_protect.c enum pkvm_component_id */
export const COMPONENT = { host: 0, hyp: 1, guest: 2 } as const;

/** What a component knows of a page. @source Linux nvhe/mem_protect.h enum pkvm_page_state */
export const PAGE_STATE = { owned: 0, sharedOwned: 1, sharedBorrowed: 2, none: 3 } as const;

/** Phases of a scenario, `arg` of `phase-began`. */
export const PHASE = { boot: 1, steady: 2, dirtyLogging: 3, collapse: 4, teardown: 5, recorded: 6 } as const;

/** Faults that a scenario injects, `arg` of `fault-injected`. */
export const INJECTED = { vcpuPreempted: 1, cacheExhausted: 2, slowTlbi: 3, transportStalled: 4, gracePeriodStalled: 5 } as const;

/** Why a table was linked, `aux` of `table-linked`: into an empty slot, in place of a block, or inside a sub-tree not linked yet. */
export const LINK_CAUSE = { grow: 1, split: 2, prebuilt: 3 } as const;

/**
 * Why a table was unlinked, `aux` of `table-unlinked`: replaced by a block, found empty, teardown of everything, replaced by an annotation,
 * zapped for a fault to build the block, dropped because nothing in it counts (the host's alone, whose next abort maps the block).
 */
export const UNLINK_CAUSE = { collapse: 1, empty: 2, teardown: 3, annotate: 4, zap: 5, idle: 6 } as const;

/** The name of `code` in one of the tables above, or `code N`. */
export function codeName(table: Readonly<Record<string, number>>, code: number): string {
  for (const name in table) if (table[name] === code) return name;
  return `code ${code}`;
}

/** TLB invalidations of traced programs, `arg` of `invalidation-issued`: those of EL2's own stage 1 too, by Arm's names. */
export const INVALIDATION = {
  vmalls12e1: 1,
  vmalls12e1is: 2,
  vmalle1: 3,
  vmalle1is: 4,
  alle1: 5,
  alle1is: 6,
  alle2: 7,
  alle2is: 8,
  ipas2e1is: 9,
  vae2is: 10,
  vale2is: 11,
} as const;

/** Order of a store, `arg` of `memory-written`. */
export const STORE_ORDER = { plain: 1, release: 2 } as const;

/** System registers, `arg` of `register-written`. */
export const REGISTER = { vttbr: 1, ttbr0: 2, vtcr: 3, hcr: 4, tcr: 5, sctlr: 6, mair: 7 } as const;

/** Hints of a traced program, `arg` of `hint-given`. @source casemate 3.0.2, trace format */
export const HINT = { setRootLock: 1, setOwnerRoot: 2, releaseTable: 3, setPteThreadOwner: 4 } as const;
