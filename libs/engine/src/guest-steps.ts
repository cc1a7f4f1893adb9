import { alignDown, HI_XN, isTable, isValid, LO_ACCESSED, LO_READ, LO_WRITE, outputAddress, slotOf, spanBytes } from '@s2lab/arch';
import { ACCESS, FAULT, K } from '@s2lab/events';
import { assert } from './assert.ts';
import { finishCommand } from './control.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import { HARDWARE } from './store-buffers.ts';
import type { Walker } from './walker.ts';

/*
 * A guest access on a vCPU: TLB, hardware walk with its walk cache, access flag by hardware, fault. The hardware walker reads the live
 * tables, one descriptor a step, and respects no software protection.
 * Source: Arm ARM DDI 0487 D8.2 (translation), D8.4 (access permissions), D8.5 (hardware update of the access flag).
 */

/** One step of a guest access. */
export function stepGuest(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.guestAccess:
      access(machine, walker);
      return;
    case PC.guestRead:
      read(machine, walker);
      return;
    case PC.guestAccessFlag:
      setAccessFlag(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no guest step at pc ${walker.pc}`);
  }
}

function access(machine: Machine, walker: Walker): void {
  const { tlb, shape, root, invalidationEpoch } = machine.stage2(walker);
  // Who destroys a stage-2 has kicked the vCPUs out of the guest: none goes on by what it has cached.
  const entry = root < 0 ? -1 : tlb.find(walker.actor, walker.ipa);
  if (entry >= 0) {
    const level = tlb.level[entry]!;
    if (permits(tlb.lo[entry]!, tlb.hi[entry]!, walker.access)) through(machine, walker, tlb.lo[entry]!, tlb.hi[entry]!, level, 1);
    else fault(walker, FAULT.permission, level);
    return;
  }
  if (root < 0 || walker.ipa >= shape.ipaBytes) {
    fault(walker, FAULT.translation, shape.startLevel);
    return;
  }
  const step = tlb.findStep(walker.actor, walker.ipa);
  walker.hardwareLevel = step >= 0 ? tlb.walkLevel[step]! + 1 : shape.startLevel;
  walker.hardwareTable =
    step >= 0 ? tlb.walkNext[step]! : root + Math.floor(walker.ipa / (spanBytes(shape, shape.startLevel) * shape.entries));
  walker.hardwareEpoch = invalidationEpoch;
  read(machine, walker);
}

/** Stage-2 permission of a leaf for `access`. XN for EL1 decides about execution. */
function permits(lo: number, hi: number, access: number): boolean {
  if ((access & ACCESS.read) !== 0 && (lo & LO_READ) === 0) return false;
  if ((access & ACCESS.write) !== 0 && (lo & LO_WRITE) === 0) return false;
  const xn = (hi & HI_XN) >>> 21;
  return (access & ACCESS.execute) === 0 || xn === 0 || xn === 3;
}

function read(machine: Machine, walker: Walker): void {
  const { pages, shape } = machine.world;
  if (walker.hardwareEpoch !== machine.stage2(walker).invalidationEpoch) {
    // A DSB does not complete before walks that used invalidated entries are over: they start anew.
    walker.pc = PC.guestAccess;
    return;
  }
  const level = walker.hardwareLevel;
  const table = walker.hardwareTable;
  const slot = slotOf(shape, walker.ipa, level);
  const i = pages.indexOf(table, slot);
  let lo = pages.descriptors[i]!;
  let hi = pages.descriptors[i + 1]!;
  if (machine.buffers !== undefined) {
    // The walker is an observer of its own: it does not see what its own core still holds back.
    lo = machine.buffers.seen(machine.world, HARDWARE, table, slot, 0);
    hi = machine.buffers.seen(machine.world, HARDWARE, table, slot, 1);
  }
  machine.commit(walker, K.hardwareDescriptorRead, level, slot, table, lo, hi, 0, 0, walker.ipa, 0, 0);
  if (isTable(lo, level)) {
    const next = pages.frameOf(lo, hi);
    cacheStep(machine, walker, level, slot, table, next);
    walker.hardwareLevel = level + 1;
    walker.hardwareTable = next;
    walker.pc = PC.guestRead;
  } else if (!isValid(lo)) {
    fault(walker, FAULT.translation, level);
  } else if ((lo & LO_ACCESSED) === 0) {
    // Without hardware update an access flag fault comes before a permission fault of the same level; with it there is none.
    if (!machine.config.hardwareAccessFlag) fault(walker, FAULT.accessFlag, level);
    else if (permits(lo, hi, walker.access)) walker.pc = PC.guestAccessFlag;
    else fault(walker, FAULT.permission, level);
  } else {
    leaf(machine, walker, lo, hi);
  }
}

function leaf(machine: Machine, walker: Walker, lo: number, hi: number): void {
  const level = walker.hardwareLevel;
  if (!permits(lo, hi, walker.access)) {
    fault(walker, FAULT.permission, level);
    return;
  }
  const { tlb, shape } = machine.stage2(walker);
  const entry = tlb.place(walker.actor, walker.ipa, level);
  if (tlb.tag[entry] !== 0) machine.commit(walker, K.tlbEvicted, tlb.level[entry]!, 0, 0, 0, 0, 0, 0, tlb.baseOf(entry), 0, 0);
  const base = alignDown(walker.ipa, spanBytes(shape, level));
  machine.commit(walker, K.tlbFilled, level, slotOf(shape, walker.ipa, level), walker.hardwareTable, 0, 0, lo, hi, base, 0, 0);
  through(machine, walker, lo, hi, level, 0);
}

function cacheStep(machine: Machine, walker: Walker, level: number, slot: number, table: number, next: number): void {
  const { tlb, shape } = machine.stage2(walker);
  const entry = tlb.walkPlace(walker.actor, walker.ipa, level);
  const base = alignDown(walker.ipa, spanBytes(shape, level));
  if (tlb.walkTag[entry] !== 0) machine.commit(walker, K.tlbEvicted, tlb.walkLevel[entry]!, 0, 0, 0, 0, 0, 0, tlb.stepBaseOf(entry), 0, 1);
  machine.commit(walker, K.walkCacheFilled, level, slot, table, 0, 0, 0, 0, base, next, 0);
}

function through(machine: Machine, walker: Walker, lo: number, hi: number, level: number, tlbHit: number): void {
  const { shape } = machine.world;
  const address = outputAddress(shape, lo, hi);
  const span = spanBytes(shape, level);
  const pa = alignDown(address, span) + (walker.ipa - alignDown(walker.ipa, span));
  machine.commit(walker, K.guestAccessed, level, 0, 0, 0, 0, pa, pa / 0x1_0000_0000, walker.ipa, walker.access, tlbHit);
  finishCommand(walker, 0);
}

/** The hardware sets the access flag by an atomic update; if the descriptor changed meanwhile, the access starts anew. */
function setAccessFlag(machine: Machine, walker: Walker): void {
  const { pages, shape } = machine.world;
  const level = walker.hardwareLevel;
  const table = walker.hardwareTable;
  const slot = slotOf(shape, walker.ipa, level);
  const i = pages.indexOf(table, slot);
  const lo = pages.descriptors[i]!;
  const hi = pages.descriptors[i + 1]!;
  const stale = walker.hardwareEpoch !== machine.stage2(walker).invalidationEpoch;
  if (stale || !isValid(lo) || isTable(lo, level) || (lo & LO_ACCESSED) !== 0 || !permits(lo, hi, walker.access)) {
    walker.pc = PC.guestAccess;
    return;
  }
  machine.commit(walker, K.descriptorHardwareUpdated, level, slot, table, lo, hi, lo | LO_ACCESSED, hi, walker.ipa, 0, 0);
  leaf(machine, walker, lo | LO_ACCESSED, hi);
}

function fault(walker: Walker, kind: number, level: number): void {
  walker.faultKind = kind;
  walker.faultLevel = level;
  walker.pc = PC.faultTaken;
}
