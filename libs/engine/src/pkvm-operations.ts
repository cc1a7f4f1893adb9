import { alignDown, geometry, isValid, LAST_LEVEL, outputAddress, spanBytes } from '@s2lab/arch';
import { COMPONENT, DSB, FEATURE, K, MEMORY, OP, OPERATION, PAGE_STATE, RESULT, WALK_FLAG } from '@s2lab/events';
import { beginWalk } from './control.ts';
import type { HypMemory } from './hyp-memory.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Stage } from './pkvm-stages.ts';
import {
  announce,
  annotateHost,
  changeGuest,
  doneIfPoisoned,
  endShares,
  fail,
  findGuestLeaf,
  findHostLeaf,
  flushGuest,
  giveHost,
  HELD,
  HOST,
  leafState,
  lendHost,
  mapGuest,
  mapHost,
  needGuestAnnotation,
  needGuestNothing,
  needGuestPage,
  needGuestState,
  needHost,
  needHyp,
  needMemcache,
  needMemory,
  needOnePageOrBlock,
  needSamePage,
  poisonGuest,
  releaseAll,
  setHost,
  setHyp,
  take,
  takeForFault,
  unmapGuest,
  wipe,
} from './pkvm-stages.ts';
import type { Walker } from './walker.ts';

/*
 * The operations of the hypervisor, each a list of stages. Locks are released, last one first, at the end or when a stage fails.
 * Source: Linux 7.2 arch/arm64/kvm/hyp/nvhe/mem_protect.c __pkvm_*(), nvhe/pkvm.c, nvhe/setup.c.
 */

const { owned, sharedOwned, sharedBorrowed, none } = PAGE_STATE;
const { host, hyp, guest } = COMPONENT;

/** Goes to stage `to` of the operation. */
function jump(to: number): Stage {
  return (_machine, walker) => {
    walker.stage = to;
  };
}

/** Pages of the host become the hypervisor's. @source __pkvm_host_donate_hyp() */
const HOST_DONATES_HYP: readonly Stage[] = [
  take(HELD.host),
  take(HELD.hyp),
  needHost(owned),
  needHyp(none),
  announce(K.pageDonated, host, hyp, false),
  setHyp(owned),
  annotateHost(hyp),
  setHost(none),
  releaseAll,
];

/**
 * Where all pages of a block are the host's again, the block replaces the table of its pages: the largest one that there is. What is unlinked
 * is the policy's.
 */
const coalesce: Stage = (machine, walker) => {
  const { memory, shape } = machine.world;
  if (machine.config.pkvm.coalesce !== 'eager') return;
  const start = memory.startOfRange(walker.pa);
  const end = memory.endOfRange(walker.pa);
  for (let level: number = shape.minBlockLevel; level < LAST_LEVEL; level += 1) {
    const bytes = spanBytes(shape, level);
    const base = alignDown(walker.pa, bytes);
    if (base < start || base + bytes > end) continue;
    const own = pagesOfHost(memory, base, bytes);
    machine.spend(Math.min(own + 1, bytes / memory.pageBytes) * machine.config.costs.pageStateNs);
    if (own * memory.pageBytes < bytes) continue;
    mapHost(machine, walker, base, bytes);
    return;
  }
};

/** How many pages from the first one of [pa, pa + bytes) on the host owns, until one that it does not. */
function pagesOfHost(memory: HypMemory, pa: number, bytes: number): number {
  const first = memory.pageOf(pa);
  for (let page = first; page < first + bytes / memory.pageBytes; page += 1) {
    const state = memory.hostStates.data[page];
    if (state !== owned && state !== sharedOwned) return page - first;
  }
  return bytes / memory.pageBytes;
}

/** Pages of the hypervisor become the host's. @source __pkvm_hyp_donate_host() */
const HYP_DONATES_HOST: readonly Stage[] = [
  take(HELD.host),
  take(HELD.hyp),
  needHyp(owned),
  needHost(none),
  announce(K.pageDonated, hyp, host, false),
  setHyp(none),
  giveHost,
  setHost(owned),
  coalesce,
  releaseAll,
];

/** Maps the largest block around an address that nobody has: memory and MMIO alike. @source host_stage2_idmap(), host_stage2_adjust_range() */
const mapAround: Stage = (machine, walker) => {
  const { memory, shape } = machine.world;
  if (isValid(walker.newLo)) fail(walker, RESULT.eexist);
  else if (walker.newLo !== 0 || walker.newHi !== 0) fail(walker, RESULT.eperm);
  else {
    let level = walker.faultLevel;
    const start = memory.startOfRange(walker.pa);
    const end = memory.endOfRange(walker.pa);
    for (; level < LAST_LEVEL; level += 1) {
      const base = alignDown(walker.pa, spanBytes(shape, level));
      if (level >= shape.minBlockLevel && base >= start && base + spanBytes(shape, level) <= end) break;
    }
    const bytes = spanBytes(shape, level);
    walker.mapShift = Math.log2(bytes);
    mapHost(machine, walker, alignDown(walker.pa, bytes), bytes);
  }
};

/** The host may share its pages with another guest as long as it shares them with guests only. @source __pkvm_host_share_guest() */
const needShareable: Stage = ({ world: { memory } }, walker) => {
  const first = memory.pageOf(walker.pa);
  for (let page = first; page < first + walker.bytes / memory.pageBytes; page += 1) {
    const state = memory.hostStates.data[page];
    if (state === owned || (state === sharedOwned && memory.guestShares.data[page]! > 0)) continue;
    fail(walker, RESULT.eperm);
    return;
  }
};

/** The guest must have borrowed just that from the host. @source __check_host_shared_guest() */
const needBorrowed: Stage = ({ world: { memory, shape } }, walker) => {
  if (!isValid(walker.newLo)) fail(walker, RESULT.enoent);
  else if (spanBytes(shape, walker.faultLevel) !== walker.bytes) fail(walker, RESULT.e2big);
  else if (leafState(walker) !== sharedBorrowed) fail(walker, RESULT.eperm);
  else {
    const first = memory.pageOf(walker.pa);
    for (let page = first; page < first + walker.bytes / memory.pageBytes; page += 1) {
      if (memory.hostStates.data[page] === sharedOwned) continue;
      fail(walker, RESULT.eperm);
      return;
    }
  }
};

/** The operation is about what the guest's leaf maps. */
const findOutput: Stage = (machine, walker) => {
  if (isValid(walker.newLo)) walker.pa = outputAddress(machine.world.shape, walker.newLo, walker.newHi);
};

/** A page of the guest goes back to the host: wiped, unless the guest had shared it. @source __pkvm_host_reclaim_page_guest() */
const wipeOwned: Stage = (machine, walker) => {
  const state = leafState(walker);
  if (state === owned) wipe(machine, walker);
  else if (state !== sharedOwned) fail(walker, RESULT.eperm);
};

/** The next page of [rangeCursor, rangeEnd), or on to stage `over`. */
function nextPage(over: number): Stage {
  return ({ world: { shape } }, walker) => {
    if (walker.rangeCursor >= walker.rangeEnd) {
      walker.stage = over;
      return;
    }
    walker.pa = walker.rangeCursor;
    walker.bytes = shape.pageBytes;
    walker.rangeCursor += shape.pageBytes;
  };
}

const pushMemcache: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  machine.hypervisor!.pushMemcache(walker.guest, walker.pa);
  notePush(machine, walker, 0);
};

function notePush(machine: Machine, walker: Walker, back: 0 | 1): void {
  machine.commit(walker, K.memcachePushed, 0, 0, 0, 0, 0, walker.pa, walker.pa / 0x1_0000_0000, 0, back, 0);
}

/** Bits of `features` of the guests' stage-2s, or of the host's. */
function featureBits(machine: Machine, vmid: number): number {
  const { config } = machine;
  const { fwb, tlbRange, lpa2, xnx, hardwareAccessFlag } = config;
  const ofHost = vmid === HOST ? FEATURE.asStage1 | FEATURE.identity | (config.pkvm.coalesce === 'lazy' ? FEATURE.uncountedLeaves : 0) : 0;
  return (
    ofHost |
    (fwb ? FEATURE.fwb : 0) |
    (tlbRange ? FEATURE.tlbRange : 0) |
    (lpa2 ? FEATURE.lpa2 : 0) |
    (xnx ? FEATURE.xnx : 0) |
    (hardwareAccessFlag ? FEATURE.hardwareAccessFlag : 0)
  );
}

/** Bytes of root pages that a guest of `ipaBits` needs. */
export function rootBytes(machine: Machine, ipaBits: number): number {
  const { pageShift, lpa2, indexBits } = machine.config;
  return geometry(pageShift, ipaBits, lpa2, indexBits).rootPages * 2 ** pageShift;
}

/** The hypervisor knows the guest; walker.mapShift holds its bits of address, walker.young whether it is protected. @source __pkvm_init_vm() */
const createGuest: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  const features = featureBits(machine, walker.guest);
  machine.commit(walker, K.guestCreated, 0, walker.mapShift, 0, 0, 0, 0, 0, 0, walker.young, features);
  machine.seat(walker.guest, machine.policy);
  machine.hypervisor!.addGuest(walker.guest, walker.pa, walker.bytes / machine.world.shape.pageBytes);
  walker.page = -1;
};

/** Its root pages (walker.page is -1 before), then the stage-2 is there. @source __kvm_pgtable_stage2_init() */
function createStage2(vmidOf: (walker: Walker) => number): Stage {
  return (machine, walker) => {
    const vmid = vmidOf(walker);
    walker.vmid = vmid;
    const { shape } = machine.world.stage2(vmid);
    if (walker.page < 0) {
      // All in one step: concatenated root pages lie one behind the other, whoever else allocates.
      walker.page = machine.hypervisor!.takeFromPool(vmid, Math.log2(shape.rootPages));
      for (let i = 0; i < shape.rootPages; i += 1) {
        const frame = machine.allocateTable(walker, shape.startLevel, 1, walker.page + i * shape.pageBytes);
        if (i === 0) walker.hardwareTable = frame;
      }
      walker.page = 0;
      walker.stage -= 1;
      return;
    }
    const { ipaBits, startLevel, rootPages } = shape;
    const features = featureBits(machine, vmid);
    machine.commit(walker, K.stage2Created, startLevel, ipaBits, walker.hardwareTable, 0, 0, 0, 0, 0, rootPages, features);
  };
}

const publish: Stage = (machine, walker) => {
  machine.note(walker, K.dsbCompleted, 0, DSB.ishst, 0);
};

/** Nothing walks the guest's tables from their root any more; they are torn down. @source kvm_pgtable_stage2_destroy() */
const detach: Stage = (machine, walker) => {
  const stage2 = machine.world.stage2(walker.guest);
  walker.vmid = walker.guest;
  walker.destroyRoot = stage2.root;
  machine.commit(walker, K.stage2Destroyed, 0, 0, stage2.root, 0, 0, 0, 0, 0, 0, 0);
};

const tearDown: Stage = (machine, walker) => {
  walker.prot = 0;
  walker.phys = 0;
  const { ipaBytes } = machine.world.stage2(walker.guest).shape;
  beginWalk(walker, OP.destroy, WALK_FLAG.leaf | WALK_FLAG.tablePost, 0, ipaBytes, PC.pkvmWalked);
};

/** Root pages go back one by one. @source guest_s2_free_pages_exact() */
const freeRoots: Stage = (machine, walker) => {
  const { rootPages, startLevel } = machine.world.stage2(walker.guest).shape;
  machine.putTable(walker, walker.destroyRoot + walker.page, startLevel);
  walker.page += 1;
  if (walker.page < rootPages) walker.stage -= 1;
  else walker.page = 0;
};

/** The next page that the guest's tables lay in, or on to stage `over`. @source reclaim_pgtable_pages(), teardown of the vCPUs' memcaches */
function nextReturned(over: number): Stage {
  return (machine, walker) => {
    const pages = machine.hypervisor!;
    const fromPool = pages.takeFromPool(walker.guest, 0);
    const pa = fromPool >= 0 ? fromPool : pages.popMemcache(walker.guest);
    if (pa < 0) {
      walker.stage = over;
      return;
    }
    walker.vmid = walker.guest;
    walker.pa = pa;
    walker.bytes = machine.world.shape.pageBytes;
    walker.rangeCursor += 1;
    notePush(machine, walker, 1);
  };
}

const forget: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  machine.hypervisor!.removeGuest(walker.guest);
  machine.note(walker, K.guestDestroyed, 0, 0, 0);
};

const started: Stage = (machine, walker) => {
  const { indexBits, vcpus, pageShift, memory } = machine.config;
  machine.commit(walker, K.machineStarted, MEMORY[memory], indexBits, 0, 0, 0, 0, 0, 0, vcpus, pageShift);
  walker.page = 0;
};

/** The memory map, a region a step; then where the hypervisor's own pages lie. */
const learnMemory: Stage = (machine, walker) => {
  const { regions, carvedPages, poolPages } = machine.config.pkvm;
  const region = regions[walker.page];
  if (region !== undefined) {
    const { base, bytes, nomap } = region;
    machine.commit(walker, K.memoryRegionAdded, 0, 0, 0, bytes, bytes / 0x1_0000_0000, base, base / 0x1_0000_0000, 0, 0, nomap ? 1 : 0);
    walker.page += 1;
    walker.stage -= 1;
    return;
  }
  const first = regions[0]!;
  const { pageBytes } = machine.world.shape;
  walker.rangeEnd = first.base + first.bytes;
  walker.rangeCursor = walker.rangeEnd - carvedPages * pageBytes;
  machine.hypervisor!.giveHostPool(walker.rangeCursor, poolPages);
  walker.page = -1;
};

/** What the hypervisor does before the host runs: its stage-2, then its own pages are taken out of it. @source __pkvm_init_finalise(), fix_host_ownership() */
export const BOOT: readonly Stage[] = [
  started,
  learnMemory,
  createStage2(() => HOST),
  publish,
  nextPage(11),
  setHyp(owned),
  take(HELD.host),
  annotateHost(hyp),
  setHost(none),
  releaseAll,
  jump(4),
];

/** Stages of each operation of the hypervisor. */
export const PKVM_OPERATIONS: Readonly<Record<number, readonly Stage[]>> = {
  [OPERATION.hostFault]: [takeForFault, findHostLeaf, mapAround],
  [OPERATION.hostLeaf]: [findHostLeaf],
  [OPERATION.hostShareHyp]: [
    take(HELD.host),
    take(HELD.hyp),
    needHost(owned),
    needHyp(none),
    announce(K.pageShared, host, hyp, false),
    setHyp(sharedBorrowed),
    setHost(sharedOwned),
  ],
  [OPERATION.hostUnshareHyp]: [
    take(HELD.host),
    take(HELD.hyp),
    needHost(sharedOwned),
    needHyp(sharedBorrowed),
    announce(K.pageUnshared, host, hyp, false),
    setHyp(none),
    setHost(owned),
  ],
  [OPERATION.hostDonateHyp]: HOST_DONATES_HYP,
  [OPERATION.hypDonateHost]: HYP_DONATES_HOST,
  [OPERATION.hostShareFfa]: [take(HELD.host), needHost(owned), setHost(sharedOwned)],
  [OPERATION.hostUnshareFfa]: [take(HELD.host), needHost(sharedOwned), setHost(owned)],
  [OPERATION.guestInit]: [...HOST_DONATES_HYP, createGuest, take(HELD.guest), createStage2((walker) => walker.guest), publish],
  [OPERATION.topUpMemcache]: [nextPage(12), ...HOST_DONATES_HYP, pushMemcache, jump(0)],
  [OPERATION.hostDonateGuest]: [
    take(HELD.host),
    take(HELD.guest),
    needHost(owned),
    needGuestNothing,
    needMemcache,
    announce(K.pageDonated, host, guest),
    annotateHost(guest),
    setHost(none),
    mapGuest(owned),
  ],
  [OPERATION.hostShareGuest]: [
    needOnePageOrBlock(true),
    needMemory,
    take(HELD.host),
    take(HELD.guest),
    needGuestNothing,
    needShareable,
    setHost(sharedOwned),
    announce(K.pageShared, host, guest),
    mapGuest(sharedBorrowed),
  ],
  [OPERATION.hostUnshareGuest]: [
    needOnePageOrBlock(false),
    take(HELD.host),
    take(HELD.guest),
    findGuestLeaf,
    findOutput,
    needBorrowed,
    unmapGuest,
    announce(K.pageUnshared, host, guest),
    endShares,
  ],
  [OPERATION.hostReclaim]: [
    take(HELD.host),
    take(HELD.guest),
    findGuestLeaf,
    doneIfPoisoned,
    needGuestPage,
    wipeOwned,
    announce(K.pageReclaimed, 0, 0),
    unmapGuest,
    giveHost,
    setHost(owned),
    coalesce,
  ],
  [OPERATION.hostForceReclaim]: [
    take(HELD.vmTable),
    take(HELD.host),
    ({ world: { memory } }, walker) => {
      const page = memory.pageOf(walker.pa);
      if (page < 0) fail(walker, RESULT.eperm);
      // The access would not fault any more: it is to be tried again.
      else if (memory.hostStates.data[page] !== none) fail(walker, RESULT.eagain);
    },
    findHostLeaf,
    needGuestAnnotation,
    take(HELD.guest),
    findGuestLeaf,
    needSamePage,
    announce(K.pageReclaimed, 1, 0),
    poisonGuest,
    wipe,
    giveHost,
    setHost(owned),
    coalesce,
  ],
  [OPERATION.guestShareHost]: [
    take(HELD.host),
    take(HELD.guest),
    findGuestLeaf,
    needGuestPage,
    needGuestState(owned),
    needHost(none),
    announce(K.pageShared, guest, host),
    mapGuest(sharedOwned),
    lendHost,
    setHost(sharedBorrowed),
  ],
  [OPERATION.guestUnshareHost]: [
    take(HELD.host),
    take(HELD.guest),
    findGuestLeaf,
    needGuestPage,
    needGuestState(sharedOwned),
    needHost(sharedBorrowed),
    announce(K.pageUnshared, guest, host),
    annotateHost(guest),
    setHost(none),
    mapGuest(owned),
  ],
  [OPERATION.relaxGuest]: [take(HELD.guest), changeGuest(OP.relax)],
  [OPERATION.wrprotectGuest]: [needOnePageOrBlock(false), take(HELD.guest), changeGuest(OP.wrprotect)],
  [OPERATION.youngGuest]: [needOnePageOrBlock(false), take(HELD.guest), changeGuest(OP.age)],
  [OPERATION.mkyoungGuest]: [take(HELD.guest), changeGuest(OP.mkyoung)],
  [OPERATION.guestDestroy]: [
    flushGuest,
    take(HELD.guest),
    detach,
    tearDown,
    freeRoots,
    releaseAll,
    nextReturned(18),
    ...HYP_DONATES_HOST,
    jump(6),
    forget,
  ],
};
