import type { Geometry } from '@s2lab/arch';
import { alignDown, LAST_LEVEL, powerOfTwo, PROT, spanBytes, spanShift } from '@s2lab/arch';
import { ACCESS, FAULT, INJECTED, K, LOCK_MODE, OP, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { chooseAttributes } from './attribute-steps.ts';
import { acquire, release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import type { Backing, Memslot } from './memslots.ts';
import { PC } from './pc.ts';
import { beginHostFault, leaveGuest } from './pkvm-steps.ts';
import type { Walker } from './walker.ts';
import { beginMap, beginWalk, finishCommand } from './control.ts';

/*
 * The fault handler above the page-table library: Linux arch/arm64/kvm/mmu.c kvm_handle_guest_abort(), user_mem_abort(),
 * handle_access_fault(), kvm_s2_resolve_vma_size(), kvm_s2_fault_map().
 */

/** One step of handling a stage-2 fault. */
export function stepFault(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.faultTaken:
      taken(machine, walker);
      return;
    case PC.faultTopUp:
      topUp(machine, walker);
      return;
    case PC.faultSized:
      chooseSize(machine, walker);
      return;
    case PC.faultLocked:
      locked(machine, walker);
      return;
    case PC.faultWalked:
      walked(machine, walker);
      return;
    case PC.faultRelock:
      acquire(walker, LOCK_MODE.write, PC.faultLocked);
      return;
    case PC.faultUnlocked:
      unlocked(machine, walker);
      return;
    case PC.faultHandled:
      handled(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no fault step at pc ${walker.pc}`);
  }
}

function taken(machine: Machine, walker: Walker): void {
  machine.commit(walker, K.faultTaken, walker.faultLevel, 0, 0, 0, 0, 0, 0, walker.ipa, walker.faultKind, walker.access);
  if (machine.hypervisor !== undefined) {
    if (walker.vmid === 0) beginHostFault(machine, walker);
    else leaveGuest(machine, walker);
    return;
  }
  const stage2 = machine.stage2(walker);
  const memslot = stage2.root < 0 ? undefined : stage2.memslotAt(walker.ipa);
  const write = (walker.access & ACCESS.write) !== 0;
  if (memslot === undefined || (write && memslot.readOnly)) {
    machine.note(walker, K.guestAborted, walker.ipa, walker.access, 0);
    finishCommand(walker, RESULT.efault);
    return;
  }
  walker.memslot = memslot.id;
  if (walker.faultKind === FAULT.accessFlag) {
    walker.mapShift = machine.world.shape.pageShift;
    acquire(walker, machine.policyOf(walker).faultLock, PC.faultLocked);
    return;
  }
  walker.sequence = machine.stage2(walker).invalidateSeq - walker.stale;
  walker.stale = 0;
  const logsWrite = memslot.logsWrites && write;
  const needsPages = walker.faultKind === FAULT.translation || logsWrite || walker.commandResult === RESULT.enomem;
  const minimum = LAST_LEVEL - machine.stage2(walker).shape.startLevel;
  if (walker.starved > 0) starve(machine, walker);
  const runsOut = walker.starved > 0 && needsPages && walker.memcache < minimum;
  walker.starved = 0;
  if (runsOut) topUpFailed(machine, walker);
  else walker.pc = needsPages && walker.memcache < minimum ? PC.faultTopUp : PC.faultSized;
}

/** Fault injection: memory is short; what the cache still holds is all there is for this fault. */
function starve(machine: Machine, walker: Walker): void {
  const pages = walker.starved - 1;
  machine.note(walker, K.faultInjected, 0, INJECTED.cacheExhausted, pages);
  walker.memcache = Math.min(walker.memcache, pages);
}

/** No walk begins without the pages it may need: the fault fails, and the guest takes it again. @source kvm_mmu_topup_memory_cache(): -ENOMEM */
function topUpFailed(machine: Machine, walker: Walker): void {
  machine.note(walker, K.cacheExhausted, 0, 0, 0);
  walker.result = RESULT.enomem;
  walker.mapShift = machine.world.shape.pageShift;
  walker.pc = PC.faultHandled;
}

/** @source kvm_mmu_topup_memory_cache(): to capacity whenever it is below the minimum */
function topUp(machine: Machine, walker: Walker): void {
  machine.note(walker, K.cacheToppedUp, 0, walker.memcache, machine.config.cacheCapacity);
  walker.memcache = machine.config.cacheCapacity;
  walker.pc = PC.faultSized;
}

/**
 * Chooses the size to map: the VMA's page size as far as the memslot allows, pages while logging. A VMA of pages may still be backed by a
 * transparent huge page; one of huge pages that the memslot does not allow is mapped by pages, whatever backs it.
 * @source kvm_s2_resolve_vma_size(), kvm_s2_fault_map(), transparent_hugepage_adjust()
 */
function chooseSize(machine: Machine, walker: Walker): void {
  const { shape } = machine.world;
  const page = shape.pageShift;
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  const backing = machine.backings.get(walker.memslot);
  let shift: number = page;
  let most: number = page;
  if (memslot !== undefined && backing !== undefined && !memslot.logsWrites) {
    shift = vmaShift(shape, memslot, backing, walker.ipa);
    most = backing.vmaShift > page && shift === page ? page : spanShift(shape, 1);
  }
  const bytes = powerOfTwo(shift);
  const max = powerOfTwo(most);
  machine.commit(walker, K.mappingSizeChosen, 0, 0, 0, bytes, bytes / 0x1_0000_0000, max, max / 0x1_0000_0000, walker.ipa, 0, 0);
  walker.faultIpa = alignDown(walker.ipa, bytes);
  walker.mapShift = shift;
  if (shift === page && most !== page && memslot !== undefined && backing !== undefined) {
    walker.mapShift = hugePageShift(machine, walker, memslot, backing);
  }
  if (memslot !== undefined && backing !== undefined) populate(machine, walker, memslot, backing);
  if (memslot !== undefined && cleansFirst(machine, walker)) clean(machine, walker, memslot);
  acquire(walker, machine.policyOf(walker).faultLock, PC.faultLocked);
}

/** The host gives memory to what is to be mapped, and zeroes what nobody touched before. @source get_user_pages(), clear_huge_page() */
function populate(machine: Machine, walker: Walker, memslot: Memslot, backing: Backing): void {
  if (machine.config.costs.zeroPageNs === 0) return;
  const bytes = powerOfTwo(walker.mapShift);
  const pages = backing.touch(memslot, alignDown(walker.ipa, bytes), bytes, machine.world.shape.pageBytes);
  if (pages > 0) machine.spendZeroing(walker, pages * machine.world.shape.pageBytes);
}

/** @source Linux 5.13 arch/arm64/kvm/mmu.c user_mem_abort(): clean_dcache_guest_page(), unless the fault is one of permissions */
function cleansFirst(machine: Machine, walker: Walker): boolean {
  return machine.config.cleansBeforeLock && !machine.config.fwb && walker.faultKind === FAULT.translation;
}

function clean(machine: Machine, walker: Walker, memslot: Memslot): void {
  const bytes = powerOfTwo(walker.mapShift);
  const ipa = alignDown(walker.ipa, bytes);
  const pa = memslot.pa + (ipa - memslot.ipa);
  machine.commit(walker, K.dcacheCleaned, 0, 0, 0, bytes, bytes / 0x1_0000_0000, pa, pa / 0x1_0000_0000, ipa, 0, 0);
}

/** log2 of the largest block that the VMA's page size and the memslot allow, or of a page. */
function vmaShift(shape: Geometry, memslot: Memslot, backing: Backing, ipa: number): number {
  for (let level: number = shape.minBlockLevel; level < LAST_LEVEL; level += 1) {
    const shift = spanShift(shape, level);
    if (backing.vmaShift >= shift && backing.fitsBlock(memslot, ipa, shift)) return shift;
  }
  return shape.pageShift;
}

/** log2 of what backs a page of the VMA: the block that faulted on its permissions, a transparent huge page, or the page. */
function hugePageShift(machine: Machine, walker: Walker, memslot: Memslot, backing: Backing): number {
  const { shape } = machine.world;
  if (walker.faultKind === FAULT.permission && walker.faultLevel < LAST_LEVEL) return spanShift(shape, walker.faultLevel);
  return transparentShift(shape, memslot, backing, walker.ipa);
}

/** log2 of the transparent huge page behind `ipa` as far as the memslot allows a block of it, or of a page. */
function transparentShift(shape: Geometry, memslot: Memslot, backing: Backing, ipa: number): number {
  const block = spanShift(shape, LAST_LEVEL - 1);
  return backing.fitsBlock(memslot, ipa, block) && backing.hugePageAt(memslot, ipa, block) ? block : shape.pageShift;
}

/** log2 of the largest block that what backs `ipa` could be mapped by while its memslot is not logged, or of a page. */
export function backedShift(shape: Geometry, memslot: Memslot, backing: Backing, ipa: number): number {
  const shift = vmaShift(shape, memslot, backing, ipa);
  return shift === shape.pageShift && backing.vmaShift === shift ? transparentShift(shape, memslot, backing, ipa) : shift;
}

/** The lock is held: give up if the memory map changed meanwhile, else map, relax or make young. */
function locked(machine: Machine, walker: Walker): void {
  const shared = walker.lockMode === LOCK_MODE.write ? 0 : WALK_FLAG.shared;
  if (walker.faultKind === FAULT.accessFlag) {
    walker.prot = 0;
    walker.phys = 0;
    beginWalk(walker, OP.mkyoung, WALK_FLAG.leaf | shared, walker.ipa, 1, PC.faultWalked);
    chooseAttributes(walker);
    return;
  }
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  if (memslot === undefined || walker.sequence !== machine.stage2(walker).invalidateSeq) {
    walker.result = RESULT.eagain;
    release(walker, PC.faultUnlocked);
    return;
  }
  const write = (walker.access & ACCESS.write) !== 0;
  const execute = (walker.access & ACCESS.execute) !== 0;
  const writable = !memslot.readOnly && (!memslot.logsWrites || write);
  walker.prot = PROT.r | (writable ? PROT.w : 0) | (execute || machine.config.dic ? PROT.x : 0);
  const bytes = powerOfTwo(walker.mapShift);
  if (walker.faultKind === FAULT.permission && spanBytes(machine.world.shape, walker.faultLevel) === bytes) {
    walker.phys = 0;
    beginWalk(walker, OP.relax, WALK_FLAG.leaf | shared, walker.faultIpa, 1, PC.faultWalked);
    chooseAttributes(walker);
    return;
  }
  const ipa = alignDown(walker.ipa, bytes);
  walker.phys = memslot.pa + (ipa - memslot.ipa);
  walker.cachePages = walker.memcache;
  const cleaned = machine.config.cleansBeforeLock ? WALK_FLAG.skipCmo : 0;
  beginMap(machine, walker, shared | cleaned, ipa, bytes, PC.faultWalked);
}

function walked(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  if (walker.op === OP.map) walker.memcache = walker.cachePages;
  const alone = walker.result === RESULT.ebusy && walker.lockMode !== LOCK_MODE.write;
  release(walker, alone ? PC.faultRelock : PC.faultUnlocked);
  if (walker.pc === PC.faultUnlocked) unlocked(machine, walker);
}

function unlocked(machine: Machine, walker: Walker): void {
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  const wrote = (walker.access & ACCESS.write) !== 0 && walker.faultKind !== FAULT.accessFlag;
  walker.pc = PC.faultHandled;
  if (walker.result === RESULT.ok && wrote && memslot !== undefined && memslot.logging) {
    const page = alignDown(walker.ipa, machine.world.shape.pageBytes);
    machine.note(
      walker,
      K.pageDirtied,
      page,
      walker.memslot,
      memslot.isDirty((page - memslot.ipa) / machine.world.shape.pageBytes) ? 1 : 0,
    );
  } else {
    handled(machine, walker);
  }
}

/** The vCPU goes back to its guest, which repeats the access; a race lost is no error. */
function handled(machine: Machine, walker: Walker): void {
  const result = walker.result === RESULT.eagain ? RESULT.ok : walker.result;
  const bytes = powerOfTwo(walker.mapShift);
  machine.commit(walker, K.faultHandled, 0, 0, 0, bytes, bytes / 0x1_0000_0000, 0, 0, walker.ipa, result, 0);
  // Out of table pages: the next fault tops the cache up whatever its kind.
  walker.commandResult = result;
  if (result === RESULT.enomem) walker.memcache = 0;
  walker.pc = PC.guestAccess;
}
