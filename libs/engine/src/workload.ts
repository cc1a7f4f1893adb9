import type { StateWords } from './state-words.ts';

/**
 * What an actor is asked to do next. `access` and `delay` are for vCPUs; the rest is for any actor (a walker of a recorded
 * script) or for the VMM thread. Values of Command.kind.
 */
export const COMMAND = {
  /** Nothing more, ever. */
  done: 0,
  /** Think for `durationNs`, then ask again. */
  delay: 1,
  /** A guest access of `access` (ACCESS) to `ipa`; repeated after each handled fault until it goes through or aborts. */
  access: 2,
  /** Walks of the page-table library, straight: [ipa, ipa+bytes), `pa`, `prot` (PROT), `flags` (WALK_FLAG.shared, .ignoreEagain), `cachePages`. */
  map: 3,
  unmap: 4,
  wrprotect: 5,
  relax: 6,
  mkyoung: 7,
  age: 8,
  split: 9,
  annotate: 10,
  flush: 11,
  leaf: 12,
  destroy: 13,
  /** TLB maintenance of [ipa, ipa+bytes) without a walk (kernel: kvm_tlb_flush_vmid_range). */
  tlbFlush: 14,
  /** Wait until everything retired before is reclaimed. */
  waitGracePeriod: 15,
  /** Memslot `memslot`: [ipa, ipa+bytes) backed by [pa, …), host virtual address `hva`; see Command. */
  memslotCreate: 16,
  memslotDelete: 17,
  dirtyLogOn: 18,
  dirtyLogOff: 19,
  /** Take and clear the dirty bits of 64 pages from page `firstPage` of the memslot on; `maskLo`/`maskHi` say which. */
  dirtyLogClear: 20,
  /** Host takes back [ipa, ipa+bytes) (kernel: MMU notifier unmap). */
  unmapRange: 21,
  /** Host ages [ipa, ipa+bytes): access flags are tested and, if `makeOld`, cleared. */
  ageRange: 22,
  /** The whole stage-2 is destroyed. */
  destroyVm: 23,
  /** Phase `phase` (PHASE) of the scenario begins, for annotations. */
  phase: 24,
  /** The vCPU is preempted for `durationNs` when a walk of its own next enters a table of `level` or deeper (fault injection). */
  preempt: 25,
  /** The actor's next broadcast TLBI takes `durationNs` longer to complete (fault injection). */
  slowTlbi: 40,
  /** When the actor next needs table pages its cache holds at most `cachePages`, and no more are to be had (fault injection). */
  emptyCache: 41,
  /** The reclaim worker is stalled for `durationNs` when it next asks whether it may go on: a grace period that does not end (fault injection). */
  stallReclaim: 42,
  /** What the host of a pKVM machine asks of the hypervisor: [pa, pa+bytes) or the page at `pa`, guest `vmid`, its address `ipa`, `prot`. */
  hostFault: 60,
  hostLeaf: 61,
  hostShareHyp: 62,
  hostUnshareHyp: 63,
  hostDonateHyp: 64,
  hypDonateHost: 65,
  hostShareFfa: 66,
  hostUnshareFfa: 67,
  /** A guest `vmid` of `ipaBits`, `protected` or not, with root pages at `pa`. */
  guestInit: 68,
  /** The guest's cache of table pages is given [pa, pa+bytes). */
  topUpMemcache: 69,
  hostDonateGuest: 70,
  hostShareGuest: 71,
  hostUnshareGuest: 72,
  hostReclaim: 73,
  hostForceReclaim: 74,
  guestShareHost: 75,
  guestUnshareHost: 76,
  relaxGuest: 77,
  wrprotectGuest: 78,
  /** `makeOld`: access flags are cleared. */
  youngGuest: 79,
  mkyoungGuest: 80,
  guestDestroy: 81,
} as const;

/** Bits of Command.flags that are no WALK_FLAG. */
export const COMMAND_FLAG = {
  /** access: the fault handler finds the memory map changed once and gives up. */
  stale: 1,
  /** ageRange: the VMID is flushed if anything was young (kernel: clear_flush_young). */
  flushIfYoung: 1,
  /** unmapRange: the lock is not given up in between (kernel: !may_block). */
  atomic: 1,
  /** unmapRange: what the host drops is a part of huge pages, which it gives up: it maps them by pages from then on. */
  splitsHugePages: 2,
} as const;

/** A command, filled in place by the workload: one object per machine, so that asking allocates nothing. Unused fields are 0. */
export class Command {
  kind = 0;
  durationNs = 0;
  ipa = 0;
  bytes = 0;
  pa = 0;
  access = 0;
  prot = 0;
  flags = 0;
  /** Table pages in the cache for this walk; -1 = no cache at all. Only for straight walks and `emptyCache`. */
  cachePages = 0;
  memslot = 0;
  hva = 0;
  /** log2 of the VMA's page size (12, 21, 30 …); larger than the granule means hugetlbfs. */
  vmaShift = 0;
  /** Transparent huge pages behind the memslot: 0 none, 1 every aligned block, k > 1 the blocks whose number is not a multiple of k. */
  thp = 0;
  readOnly = 0;
  firstPage = 0;
  maskLo = 0;
  maskHi = 0;
  makeOld = 0;
  annotationType = 0;
  annotation = 0;
  phase = 0;
  /** preempt: level of the table, 0 = the first one entered below the root. */
  level = 0;
  /** Guest of a pKVM machine, or whose stage-2 an access goes through: 0 = the host. */
  vmid = 0;
  /** guestInit: bits of the guest's addresses. */
  ipaBits = 0;
  /** guestInit: 1 = the host may not see the guest's memory. */
  protected = 0;
  /** Free argument of `phase`: the pass of a migration. */
  pass = 0;
}

/**
 * Drives the actors of one machine. Deterministic: its answers follow from its own seeded state and the order of the questions.
 * Actors 0…vcpus-1 are vCPUs, actor `vcpus` is the VMM thread. An actor is asked when it is idle, with the result of its last command.
 */
export interface Workload {
  /**
   * Fills `command` (all fields reset before) with the next command of `actor`.
   * @param nowNs the actor's virtual time
   * @param lastResult RESULT of the actor's last command, 0 at first
   */
  next(actor: number, nowNs: number, lastResult: number, command: Command): void;
  /** Writes what its next answers follow from, and reads it back: for a workload whose machine is to be snapshotted. */
  save?(into: StateWords): void;
  load?(from: StateWords): void;
}
