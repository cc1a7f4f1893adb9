import { powerOfTwo } from '@s2lab/arch';
import { K, LOCK, LOCK_MODE, OP, OPERATION, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { beginWalk, finishCommand } from './control.ts';
import { release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import { BOOT, PKVM_OPERATIONS, rootBytes } from './pkvm-operations.ts';
import { fail, HELD, HOST } from './pkvm-stages.ts';
import type { Walker } from './walker.ts';
import type { Command } from './workload.ts';
import { COMMAND } from './workload.ts';

/*
 * The hypervisor of pKVM at EL2: runs the stages of an operation (pkvm-operations.ts). An actor is a core: it runs the host, a guest, or,
 * when one of them calls or faults, the hypervisor.
 */

/** OPERATION of each command to the hypervisor. */
const OPERATION_OF: Readonly<Record<number, number>> = {
  [COMMAND.hostFault]: OPERATION.hostFault,
  [COMMAND.hostLeaf]: OPERATION.hostLeaf,
  [COMMAND.hostShareHyp]: OPERATION.hostShareHyp,
  [COMMAND.hostUnshareHyp]: OPERATION.hostUnshareHyp,
  [COMMAND.hostDonateHyp]: OPERATION.hostDonateHyp,
  [COMMAND.hypDonateHost]: OPERATION.hypDonateHost,
  [COMMAND.hostShareFfa]: OPERATION.hostShareFfa,
  [COMMAND.hostUnshareFfa]: OPERATION.hostUnshareFfa,
  [COMMAND.guestInit]: OPERATION.guestInit,
  [COMMAND.topUpMemcache]: OPERATION.topUpMemcache,
  [COMMAND.hostDonateGuest]: OPERATION.hostDonateGuest,
  [COMMAND.hostShareGuest]: OPERATION.hostShareGuest,
  [COMMAND.hostUnshareGuest]: OPERATION.hostUnshareGuest,
  [COMMAND.hostReclaim]: OPERATION.hostReclaim,
  [COMMAND.hostForceReclaim]: OPERATION.hostForceReclaim,
  [COMMAND.guestShareHost]: OPERATION.guestShareHost,
  [COMMAND.guestUnshareHost]: OPERATION.guestUnshareHost,
  [COMMAND.relaxGuest]: OPERATION.relaxGuest,
  [COMMAND.wrprotectGuest]: OPERATION.wrprotectGuest,
  [COMMAND.youngGuest]: OPERATION.youngGuest,
  [COMMAND.mkyoungGuest]: OPERATION.mkyoungGuest,
  [COMMAND.guestDestroy]: OPERATION.guestDestroy,
};

/** Commands that say how many bytes they are about; the others are about one page. */
const RANGES: ReadonlySet<number> = new Set([
  COMMAND.hostDonateHyp,
  COMMAND.hypDonateHost,
  COMMAND.hostShareFfa,
  COMMAND.hostUnshareFfa,
  COMMAND.topUpMemcache,
  COMMAND.hostShareGuest,
  COMMAND.hostUnshareGuest,
  COMMAND.wrprotectGuest,
  COMMAND.youngGuest,
]);

/** Program of a machine's boot, no operation. */
const BOOTS = 0;

/** Whether the hypervisor carries `command` out. */
export function isHypervisorCommand(command: number): boolean {
  return command in OPERATION_OF;
}

/** Begins what a command asks of the hypervisor. */
export function beginHypervisorOperation(machine: Machine, walker: Walker, command: Command): void {
  const operation = OPERATION_OF[command.kind]!;
  const page = machine.world.shape.pageBytes;
  walker.guest = command.vmid;
  walker.pa = command.pa;
  walker.bytes = RANGES.has(command.kind) ? command.bytes : page;
  walker.access = command.prot;
  walker.young = command.makeOld !== 0 ? 2 : 0;
  if (command.kind === COMMAND.topUpMemcache) {
    walker.rangeCursor = command.pa;
    walker.rangeEnd = command.pa + walker.bytes;
  } else if (command.kind === COMMAND.guestInit) {
    walker.bytes = rootBytes(machine, command.ipaBits);
    walker.mapShift = command.ipaBits;
    walker.young = command.protected;
  } else {
    walker.rangeCursor = 0;
  }
  begin(machine, walker, operation);
}

function begin(machine: Machine, walker: Walker, operation: number): void {
  walker.vmid = walker.guest;
  walker.program = operation;
  walker.commandResult = RESULT.ok;
  walker.walkId = 0;
  const { bytes } = walker;
  machine.commit(walker, K.operationBegan, 0, 0, 0, bytes, bytes / 0x1_0000_0000, 0, 0, walker.ipa, operation, 0);
  prepare(walker);
}

function prepare(walker: Walker): void {
  walker.stage = 0;
  walker.held = 0;
  walker.page = 0;
  walker.recycled = 0;
  walker.recycling = 0;
  walker.lockMode = 0;
  walker.pc = PC.pkvmStage;
}

/** The host touched an address that its stage-2 does not let it touch. @source handle_host_mem_abort() */
export function beginHostFault(machine: Machine, walker: Walker): void {
  walker.guest = HOST;
  walker.pa = walker.ipa;
  walker.mapShift = machine.world.shape.pageShift;
  walker.bytes = machine.world.shape.pageBytes;
  begin(machine, walker, OPERATION.hostFault);
}

/** The first thing a machine does: the hypervisor takes the memory over. */
export function beginHypervisorBoot(walker: Walker): void {
  walker.program = BOOTS;
  prepare(walker);
}

/** One step of the hypervisor. */
export function stepPkvm(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.pkvmStage:
      stage(machine, walker);
      return;
    case PC.pkvmWalked:
      walked(walker);
      return;
    case PC.pkvmRelease:
      if (walker.held === 0) walker.pc = PC.pkvmStage;
      else releaseLast(machine, walker, PC.pkvmRelease);
      return;
    case PC.pkvmUnlock:
      if (walker.held === 0) end(machine, walker);
      else releaseLast(machine, walker, PC.pkvmUnlock);
      return;
    case PC.pkvmRecycle:
      recycle(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no hypervisor step at pc ${walker.pc}`);
  }
}

function stage(machine: Machine, walker: Walker): void {
  const stages = walker.program === BOOTS ? BOOT : PKVM_OPERATIONS[walker.program]!;
  const next = stages[walker.stage];
  if (next === undefined) {
    walker.pc = PC.pkvmUnlock;
    return;
  }
  walker.stage += 1;
  next(machine, walker);
}

/** Releases the lock that was taken last. */
function releaseLast(machine: Machine, walker: Walker, back: number): void {
  const held = 1 << (31 - Math.clz32(walker.held));
  walker.held &= ~held;
  walker.vmid = held === HELD.guest ? walker.guest : HOST;
  walker.lock = held === HELD.hyp ? LOCK.hyp : held === HELD.vmTable ? LOCK.vmTable : LOCK.mmu;
  walker.lockMode = walker.program === OPERATION.hostFault ? machine.policyOf(walker).faultLock : LOCK_MODE.write;
  release(walker, back);
}

/** A walk is over. Out of table pages, the host's MMIO mappings are dropped, and it is tried once more. @source host_stage2_try() */
function walked(walker: Walker): void {
  walker.walkId = 0;
  walker.pc = PC.pkvmStage;
  const { result } = walker;
  if (result === RESULT.enomem && walker.vmid === HOST && walker.recycled === 0) {
    walker.recycled = 1;
    walker.recycling = 1;
    walker.pc = PC.pkvmRecycle;
    return;
  }
  walker.recycled = 0;
  if (walker.op === OP.age) walker.commandResult = walker.young & 1;
  else if (walker.op === OP.relax) walker.commandResult = result;
  // Another core was faster, or must not walk beside this one: the access that faulted is tried again.
  else if (result === RESULT.ebusy) fail(walker, RESULT.eagain);
  else if (result !== RESULT.ok && walker.op !== OP.mkyoung) fail(walker, result);
}

/** Unmaps the next gap between memory regions; then the walk that found no table page is begun anew. @source host_stage2_unmap_dev_all() */
function recycle(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  const { regions } = machine.world.memory;
  const { ipaBytes } = machine.world.stage2(HOST).shape;
  while (walker.recycling > 0) {
    const i = walker.recycling - 1;
    const before = regions[i - 1];
    const from = before === undefined ? 0 : before.base + before.bytes;
    const to = regions[i]?.base ?? ipaBytes;
    walker.recycling = i < regions.length ? walker.recycling + 1 : 0;
    if (from === to) continue;
    walker.prot = 0;
    walker.phys = 0;
    beginWalk(walker, OP.unmap, WALK_FLAG.leaf | WALK_FLAG.tablePost, from, to - from, PC.pkvmRecycle);
    return;
  }
  walker.stage -= 1;
  walker.pc = PC.pkvmStage;
}

/** The fault is handled; whoever took it tries again. `mapShift` is the size that was mapped for it. */
function handled(machine: Machine, walker: Walker, result: number): void {
  const bytes = powerOfTwo(walker.mapShift);
  machine.commit(walker, K.faultHandled, 0, 0, 0, bytes, bytes / 0x1_0000_0000, 0, 0, walker.ipa, result, 0);
}

/** A guest touched an address that it has nothing at: its core leaves it for the host, which decides what the guest is given. */
export function leaveGuest(machine: Machine, walker: Walker): void {
  walker.mapShift = machine.world.shape.pageShift;
  handled(machine, walker, RESULT.efault);
  finishCommand(walker, RESULT.efault);
}

/** The operation is over, its locks are free. */
function end(machine: Machine, walker: Walker): void {
  if (walker.program === BOOTS) {
    for (let vcpu = 0; vcpu < machine.config.vcpus; vcpu += 1) machine.start(vcpu);
    walker.pc = PC.idle;
    return;
  }
  walker.vmid = walker.guest;
  const result = walker.commandResult;
  machine.commit(walker, K.operationEnded, 0, 0, 0, 0, 0, 0, 0, walker.ipa, walker.program, result);
  if (walker.command !== COMMAND.access) {
    finishCommand(walker, result);
  } else if (result === RESULT.eperm) {
    machine.note(walker, K.hostAborted, walker.ipa, walker.access, 0);
    finishCommand(walker, RESULT.efault);
  } else {
    // Mapped now, by this core or another one.
    handled(machine, walker, RESULT.ok);
    walker.commandResult = RESULT.ok;
    walker.pc = PC.guestAccess;
  }
}
