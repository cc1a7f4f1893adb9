import { alignDown, isValid, outputAddress, PROT, softwareProt, spanBytes, LAST_LEVEL } from '@s2lab/arch';
import { COMPONENT, K, LOCK, LOCK_MODE, OP, PAGE_STATE, RESULT, WALK_FLAG } from '@s2lab/events';
import { chooseAttributes } from './attribute-steps.ts';
import { beginMap, beginWalk } from './control.ts';
import { FLUSH, flush } from './flush-steps.ts';
import { dropsIdleTables } from './host-coalescing.ts';
import type { HypMemory } from './hyp-memory.ts';
import { acquire } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * Stages that the operations of the hypervisor are made of (pkvm-operations.ts): each takes a lock, looks something up, begins a walk, or
 * changes what is noted of a page. Source: Linux 7.2 arch/arm64/kvm/hyp/nvhe/mem_protect.c, functions of the names given.
 */

/** One stage; it commits what a step may commit, or sets up a walk. Before it runs the walker's stage is the next one. */
export type Stage = (machine: Machine, walker: Walker) => void;

/** VMID of the host's stage-2. */
export const HOST = 0;
/** Bits of Walker.held, in the order in which locks are taken. */
export const HELD = { vmTable: 1, host: 2, guest: 4, hyp: 8 } as const;
/** Types of invalid descriptors, bits 63:60. */
const ANNOTATION = { donation: 2, poison: 3 } as const;
const HI_TYPE_SHIFT = 28;
/** Where owner, guest and page number lie in the annotation of a donated page. @source host_stage2_encode_gfn_meta() */
const OWNER_SHIFT = 1;
const OWNER_MASK = 7;
const GUEST_SHIFT = 4;
const GUEST_MASK = 0xffff;
const GFN_SHIFT = 20;
/** Page numbers from this one on reach into the high half. */
const GFN_LOW = 2 ** 12;
/** Pages that a walk may take from the pool: what there is. */
const NO_LIMIT = 2 ** 30;
const RWX = PROT.r | PROT.w | PROT.x;
/** State 1 is software bit 0, state 2 software bit 1. */
const STATE_PROT = PROT.sw0;

/** The operation ends here with `result`, once its locks are free. */
export function fail(walker: Walker, result: number): void {
  walker.commandResult = result;
  walker.pc = PC.pkvmUnlock;
}

/** Takes a lock: `held` is its HELD bit. */
export function take(held: number): Stage {
  return (_machine, walker) => {
    walker.vmid = held === HELD.guest ? walker.guest : HOST;
    walker.lock = held === HELD.hyp ? LOCK.hyp : held === HELD.vmTable ? LOCK.vmTable : LOCK.mmu;
    walker.held |= held;
    acquire(walker, LOCK_MODE.write, PC.pkvmStage);
  };
}

/** Takes the host's lock as its policy has faults take it. */
export const takeForFault: Stage = (machine, walker) => {
  walker.vmid = HOST;
  walker.lock = LOCK.mmu;
  walker.held |= HELD.host;
  acquire(walker, machine.policyOf(walker).faultLock, PC.pkvmStage);
};

/** Releases all locks, last one first, and goes on with the next stage. */
export const releaseAll: Stage = (_machine, walker) => {
  walker.pc = PC.pkvmRelease;
};

/** Whether [pa, pa + bytes) is memory of one region that may change hands. @source check_range_allowed_memory() */
function notAllowed(memory: HypMemory, pa: number, bytes: number): number {
  const region = memory.regionAt(pa);
  const last = pa + bytes - 1;
  if (last < memory.startOfRange(pa) || last >= memory.endOfRange(pa)) return RESULT.einval;
  return region === undefined || region.nomap ? RESULT.eperm : RESULT.ok;
}

function inState(memory: HypMemory, states: Uint8Array, pa: number, bytes: number, state: number): boolean {
  const first = memory.pageOf(pa);
  if (first < 0) return false;
  for (let page = first; page < first + bytes / memory.pageBytes; page += 1) if (states[page] !== state) return false;
  return true;
}

/** The host must have all pages in `state`. @source __host_check_page_state_range() */
export function needHost(state: number): Stage {
  return ({ world: { memory } }, walker) => {
    const refused = notAllowed(memory, walker.pa, walker.bytes);
    if (refused !== RESULT.ok) fail(walker, refused);
    else if (!inState(memory, memory.hostStates.data, walker.pa, walker.bytes, state)) fail(walker, RESULT.eperm);
  };
}

/** The hypervisor must have all pages in `state`. @source __hyp_check_page_state_range() */
export function needHyp(state: number): Stage {
  return ({ world: { memory } }, walker) => {
    if (!inState(memory, memory.hypStates.data, walker.pa, walker.bytes, state)) fail(walker, RESULT.eperm);
  };
}

/** The pages must be memory that may change hands. */
export const needMemory: Stage = ({ world: { memory } }, walker) => {
  const refused = notAllowed(memory, walker.pa, walker.bytes);
  if (refused !== RESULT.ok) fail(walker, refused);
};

/**
 * Notes that `component` has the pages in `state` now, one run of pages that had the same one before a step.
 * @param chosen which pages, all by default
 */
function setState(component: number, state: number, chosen: (memory: HypMemory, page: number) => boolean = () => true): Stage {
  return (machine, walker) => {
    const { memory } = machine.world;
    const states = component === COMPONENT.host ? memory.hostStates.data : memory.hypStates.data;
    const first = memory.pageOf(walker.pa);
    const end = first + walker.bytes / memory.pageBytes;
    // walker.page is how many pages are done.
    let from = first + walker.page;
    while (from < end && !chosen(memory, from)) from += 1;
    let to = from;
    while (to < end && chosen(memory, to) && states[to] === states[from]) to += 1;
    if (from < end) {
      const pa = walker.pa + (from - first) * memory.pageBytes;
      const bytes = (to - from) * memory.pageBytes;
      machine.commit(walker, K.pageStateChanged, states[from]!, 0, 0, ...wide(bytes), ...wide(pa), 0, component, state);
    }
    walker.page = to < end ? to - first : 0;
    if (to < end) walker.stage -= 1;
  };
}

/** The host has the pages in `state`. @source __host_update_page_state() */
export const setHost = (state: number): Stage => setState(COMPONENT.host, state);
/** The hypervisor has the pages in `state`. @source __hyp_set_page_state_range() */
export const setHyp = (state: number): Stage => setState(COMPONENT.hyp, state);
/** The host alone has those pages that it shares with no guest any more. @source __pkvm_host_unshare_guest() */
export const endShares: Stage = setState(COMPONENT.host, PAGE_STATE.owned, (memory, page) => memory.guestShares.data[page] === 0);

function wide(value: number): [lo: number, hi: number] {
  return [value, value / 0x1_0000_0000];
}

/** Records what becomes of [pa, pa + bytes): `kind` with its `from` and `to`. */
export function announce(kind: number, from: number, to: number, ofGuest = true): Stage {
  return (machine, walker) => {
    walker.vmid = ofGuest ? walker.guest : HOST;
    machine.commit(walker, kind, 0, 0, 0, ...wide(walker.bytes), ...wide(walker.pa), ofGuest ? walker.ipa : 0, from, to);
  };
}

/** The contents of [pa, pa + bytes) are gone before somebody else gets it. @source hyp_poison_page() */
export const wipe: Stage = (machine, walker) => {
  machine.commit(walker, K.pageWiped, 0, 0, 0, ...wide(walker.bytes), ...wide(walker.pa), 0, 0, 0);
};

/** Looks up the host's leaf for the page. @source kvm_pgtable_get_leaf() */
export const findHostLeaf: Stage = (machine, walker) => {
  walker.vmid = HOST;
  lookUp(machine, walker, alignDown(walker.pa, machine.world.shape.pageBytes));
};

/** Looks up the guest's leaf for its page. */
export const findGuestLeaf: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  lookUp(machine, walker, walker.ipa);
};

function lookUp(machine: Machine, walker: Walker, address: number): void {
  walker.prot = 0;
  walker.phys = 0;
  beginWalk(walker, OP.leaf, WALK_FLAG.leaf | sharing(walker), address, machine.world.shape.pageBytes, PC.pkvmWalked);
}

/** A walk is shared when its lock is held for read, or not at all. */
function sharing(walker: Walker): number {
  return walker.lockMode === LOCK_MODE.write ? 0 : WALK_FLAG.shared;
}

/** PAGE_STATE of the guest's page by the leaf just looked up. @source guest_get_page_state() */
export function leafState(walker: Walker): number {
  return softwareProt(walker.newHi) / STATE_PROT;
}

function isPoison(lo: number, hi: number): boolean {
  return !isValid(lo) && hi >>> HI_TYPE_SHIFT === ANNOTATION.poison;
}

/** A page that was taken by force is reclaimed already. @source __pkvm_host_reclaim_page_guest() */
export const doneIfPoisoned: Stage = (_machine, walker) => {
  if (isPoison(walker.newLo, walker.newHi)) fail(walker, RESULT.ok);
};

/** The guest must have a page there: its address becomes that of the operation. @source get_valid_guest_pte() */
export const needGuestPage: Stage = (machine, walker) => {
  const { newLo, newHi } = walker;
  if (!isValid(newLo)) fail(walker, isPoison(newLo, newHi) ? RESULT.ehwpoison : RESULT.enoent);
  else if (walker.faultLevel !== LAST_LEVEL) fail(walker, RESULT.e2big);
  else walker.pa = outputAddress(machine.world.shape, newLo, newHi);
};

/** That page must be in `state`. */
export function needGuestState(state: number): Stage {
  return (_machine, walker) => {
    if (leafState(walker) !== state) fail(walker, RESULT.eperm);
  };
}

/** The guest must have nothing at [ipa, ipa + bytes). @source __guest_check_page_state_range() */
export const needGuestNothing: Stage = (_machine, walker) => {
  walker.vmid = walker.guest;
  walker.prot = 0;
  walker.phys = 0;
  beginWalk(walker, OP.check, WALK_FLAG.leaf, walker.ipa, walker.bytes, PC.pkvmWalked);
};

/** The guest's cache must hold a page for each level that may be missing. @source kvm_mmu_cache_min_pages() */
export const needMemcache: Stage = (machine, walker) => {
  const levels = LAST_LEVEL - machine.world.stage2(walker.guest).shape.startLevel;
  if (machine.hypervisor!.memcachePages(walker.guest) < levels) fail(walker, RESULT.enomem);
};

/** Writes an owner over the host's mapping of [pa, pa + bytes), page by page: blocks are broken. @source host_stage2_set_owner_metadata_locked() */
export function annotateHost(owner: number): Stage {
  return (machine, walker) => {
    const { pageBytes } = machine.world.shape;
    walker.vmid = HOST;
    if (owner !== COMPONENT.guest) {
      annotate(machine, walker, 0, walker.pa, owner << OWNER_SHIFT, 0, ANNOTATION.donation);
      return;
    }
    const gfn = walker.ipa / pageBytes;
    const lo = (owner << OWNER_SHIFT) | (walker.guest << GUEST_SHIFT) | ((gfn % GFN_LOW) << GFN_SHIFT);
    annotate(machine, walker, 0, walker.pa, lo, Math.floor(gfn / GFN_LOW), ANNOTATION.donation);
  };
}

/** The guest finds its page poisoned from now on. @source __pkvm_host_force_reclaim_page_guest() */
export const poisonGuest: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  annotate(machine, walker, 0, walker.ipa, 0, 0, ANNOTATION.poison);
};

function annotate(machine: Machine, walker: Walker, flags: number, address: number, lo: number, hi: number, type: number): void {
  walker.prot = 0;
  walker.phys = 0;
  walker.cachePages = NO_LIMIT;
  beginMap(machine, walker, flags, address, walker.bytes, PC.pkvmWalked);
  walker.op = OP.annotate;
  walker.annotation = 1;
  walker.forcePages = 1;
  walker.attrLo = lo;
  walker.attrHi = hi | (type << HI_TYPE_SHIFT);
}

/** Maps [page, page + rangeEnd) one to one into the host. @source __host_stage2_idmap(), default_host_prot() */
export function mapHost(machine: Machine, walker: Walker, address: number, bytes: number): void {
  walker.vmid = HOST;
  const isMemory = machine.world.memory.regionAt(address) !== undefined;
  walker.prot = isMemory ? RWX : PROT.r | PROT.w;
  walker.phys = address;
  walker.cachePages = NO_LIMIT;
  beginMap(machine, walker, sharing(walker) | WALK_FLAG.ignoreEagain, address, bytes, PC.pkvmWalked);
}

/** Maps the pages of the operation into the host: they are still a guest's, which lends them. @source host_stage2_idmap_locked() */
export const lendHost: Stage = (machine, walker) => mapHost(machine, walker, walker.pa, walker.bytes);

/**
 * The pages of the operation are the host's again: they are mapped, or, where tables are dropped by their count, no owner is written over
 * them any more and their next use maps them. @source host_stage2_idmap_locked(); android14-6.1 host_stage2_set_owner_locked(PKVM_ID_HOST)
 */
export const giveHost: Stage = (machine, walker) => {
  walker.vmid = HOST;
  if (dropsIdleTables(machine, walker)) annotate(machine, walker, WALK_FLAG.tablePost, walker.pa, 0, 0, 0);
  else mapHost(machine, walker, walker.pa, walker.bytes);
};

/** Maps the pages into the guest, in `state`, with the permissions asked or all of them. */
export function mapGuest(state: number): Stage {
  return (machine, walker) => {
    walker.vmid = walker.guest;
    walker.prot = (walker.access === 0 ? RWX : walker.access) | (state * STATE_PROT);
    walker.phys = walker.pa;
    walker.cachePages = NO_LIMIT;
    beginMap(machine, walker, 0, walker.ipa, walker.bytes, PC.pkvmWalked);
  };
}

/** Takes the pages out of the guest. */
export const unmapGuest: Stage = (_machine, walker) => {
  walker.vmid = walker.guest;
  walker.prot = 0;
  walker.phys = 0;
  beginWalk(walker, OP.unmap, WALK_FLAG.leaf | WALK_FLAG.tablePost, walker.ipa, walker.bytes, PC.pkvmWalked);
};

/** A walk of the guest's tables that changes attributes. */
export function changeGuest(op: number): Stage {
  return (_machine, walker) => {
    walker.vmid = walker.guest;
    walker.prot = walker.access;
    walker.phys = 0;
    const flags = op === OP.wrprotect ? WALK_FLAG.ignoreEagain : 0;
    beginWalk(walker, op, WALK_FLAG.leaf | flags, walker.ipa, walker.bytes, PC.pkvmWalked);
    chooseAttributes(walker);
  };
}

/** Everything cached under the guest's VMID is invalidated. */
export const flushGuest: Stage = (machine, walker) => {
  walker.vmid = walker.guest;
  flush(machine, walker, FLUSH.vmid, 0, 0, -1, PC.pkvmStage);
};

/** A page, or one block of the level above pages at a time. @source __guest_check_transition_size() */
export function needOnePageOrBlock(withPa: boolean): Stage {
  return ({ world: { shape } }, walker) => {
    const block = spanBytes(shape, LAST_LEVEL - 1);
    const aligned = walker.ipa % block === 0 && (!withPa || walker.pa % block === 0);
    if (walker.bytes !== shape.pageBytes && (walker.bytes !== block || !aligned)) fail(walker, RESULT.einval);
  };
}

/** Who the host's annotation of the page names: the guest and its address become those of the operation. @source host_stage2_decode_gfn_meta() */
export const needGuestAnnotation: Stage = (machine, walker) => {
  const { newLo, newHi } = walker;
  const isDonation = !isValid(newLo) && newHi >>> HI_TYPE_SHIFT === ANNOTATION.donation;
  if (!isDonation || ((newLo >>> OWNER_SHIFT) & OWNER_MASK) !== COMPONENT.guest) {
    fail(walker, RESULT.eperm);
    return;
  }
  walker.guest = (newLo >>> GUEST_SHIFT) & GUEST_MASK;
  walker.ipa = ((newHi & 0x0fff_ffff) * GFN_LOW + (newLo >>> GFN_SHIFT)) * machine.world.shape.pageBytes;
  if ((machine.world.stage2s[walker.guest]?.root ?? -1) < 0) fail(walker, RESULT.enoent);
};

/** The guest must have the very page there. */
export const needSamePage: Stage = (machine, walker) => {
  const { shape } = machine.world;
  if (!isValid(walker.newLo)) fail(walker, RESULT.enoent);
  else if (outputAddress(shape, walker.newLo, walker.newHi) !== walker.pa) fail(walker, RESULT.einval);
  else if (leafState(walker) !== PAGE_STATE.owned) fail(walker, RESULT.eperm);
};
