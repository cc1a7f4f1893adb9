import { alignDown, LAST_LEVEL, spanBytes, spanShift } from '@s2lab/arch';
import { DSB, K, LOCK, LOCK_MODE, MEMORY, OP, OPERATION, RESULT, WALK_FLAG } from '@s2lab/events';
import { assert } from './assert.ts';
import { chooseAttributes } from './attribute-steps.ts';
import { beginCollapse } from './collapse-steps.ts';
import { finishCommand } from './control.ts';
import { FLUSH, flush } from './flush-steps.ts';
import { acquire, release } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { beginMemoryOperation } from './memory-steps.ts';
import { beginHostSplit } from './host-split-steps.ts';
import { PC } from './pc.ts';
import { beginHypervisorBoot } from './pkvm-steps.ts';
import type { Walker } from './walker.ts';
import { beginWalk } from './control.ts';
import type { Command } from './workload.ts';
import { COMMAND, COMMAND_FLAG } from './workload.ts';

/*
 * Operations of the host on a range, in chunks under the write side of the lock: Linux arch/arm64/kvm/mmu.c stage2_apply_range(),
 * kvm_mmu_wp_memory_region(), kvm_mmu_split_huge_pages(), kvm_age_gfn(), kvm_free_stage2_pgd().
 */

/** OPERATION of each host command. */
const HOST_OPERATION: Readonly<Record<number, number>> = {
  [COMMAND.destroy]: OPERATION.destroy,
  [COMMAND.destroyVm]: OPERATION.destroy,
  [COMMAND.tlbFlush]: OPERATION.tlbFlush,
  [COMMAND.waitGracePeriod]: OPERATION.waitGracePeriod,
  [COMMAND.memslotCreate]: OPERATION.memslotCreate,
  [COMMAND.memslotDelete]: OPERATION.memslotDelete,
  [COMMAND.dirtyLogOn]: OPERATION.dirtyLogOn,
  [COMMAND.dirtyLogOff]: OPERATION.dirtyLogOff,
  [COMMAND.dirtyLogClear]: OPERATION.dirtyLogClear,
  [COMMAND.unmapRange]: OPERATION.unmapRange,
  [COMMAND.ageRange]: OPERATION.ageRange,
};

/** Begins a host operation. */
export function beginOperation(machine: Machine, walker: Walker, command: Command): void {
  const operation = HOST_OPERATION[command.kind];
  assert(operation !== undefined, `the workload asked for command ${command.kind}, which does not exist`);
  machine.commit(walker, K.operationBegan, 0, 0, 0, command.bytes, command.bytes / 0x1_0000_0000, 0, 0, command.ipa, operation, 0);
  walker.result = RESULT.ok;
  walker.young = command.makeOld !== 0 ? 2 : 0;
  walker.access = command.flags;
  walker.rangeCursor = command.ipa;
  walker.rangeEnd = command.ipa + command.bytes;
  switch (command.kind) {
    case COMMAND.tlbFlush:
      flush(machine, walker, FLUSH.range, command.ipa, command.bytes, -1, PC.hostEnd);
      return;
    case COMMAND.waitGracePeriod:
      walker.pc = PC.hostWait;
      return;
    case COMMAND.unmapRange:
      if ((command.flags & COMMAND_FLAG.splitsHugePages) !== 0) splitHugePages(machine, walker);
      acquire(walker, LOCK_MODE.write, PC.hostLocked);
      return;
    case COMMAND.ageRange:
    case COMMAND.destroy:
    case COMMAND.destroyVm:
      acquire(walker, LOCK_MODE.write, PC.hostLocked);
      return;
    default:
      beginMemoryOperation(machine, walker, command);
  }
}

/** The host splits its own huge pages before it drops a part of them. @source Linux mm/memory.c zap_pmd_range() (__split_huge_pmd) */
function splitHugePages(machine: Machine, walker: Walker): void {
  const { memslots, shape } = machine.stage2(walker);
  const shift = spanShift(shape, LAST_LEVEL - 1);
  for (const memslot of memslots) {
    if (memslot.ipa < walker.rangeEnd && walker.rangeCursor < memslot.ipa + memslot.bytes)
      machine.backings.get(memslot.id)?.drop(memslot, walker.ipa, walker.bytes, shift);
  }
}

/** One step of a host operation around its walks. */
export function stepHost(machine: Machine, walker: Walker): void {
  switch (walker.pc) {
    case PC.hostBoot:
      boot(machine, walker);
      return;
    case PC.hostLocked:
      hostLocked(machine, walker);
      return;
    case PC.hostChunk:
      chunk(machine, walker);
      return;
    case PC.hostChunkDone:
      chunkDone(machine, walker);
      return;
    case PC.hostUnlock:
      release(walker, PC.hostUnlocked);
      return;
    case PC.hostUnlocked:
      hostUnlocked(machine, walker);
      return;
    case PC.hostRelock:
      acquire(walker, LOCK_MODE.write, PC.hostChunk);
      return;
    case PC.hostFreeRoot:
      freeRoot(machine, walker);
      return;
    case PC.hostWait:
      if (machine.world.retiredCount > 0 || machine.reclaiming) machine.block(walker);
      else walker.pc = PC.hostEnd;
      return;
    case PC.hostEnd:
      end(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no host step at pc ${walker.pc}`);
  }
}

/** The VMM thread creates machine and stage-2, one event a step, then lets the vCPUs go. */
function boot(machine: Machine, walker: Walker): void {
  const { world, config } = machine;
  if (machine.hypervisor !== undefined) {
    beginHypervisorBoot(walker);
    return;
  }
  if (walker.hostPhase === 0) {
    machine.commit(walker, K.machineStarted, MEMORY[config.memory], config.indexBits, 0, 0, 0, 0, 0, 0, config.vcpus, config.pageShift);
  } else if (walker.hostPhase <= world.shape.rootPages) {
    machine.allocateTable(walker, world.shape.startLevel, 1);
  } else if (walker.hostPhase === world.shape.rootPages + 1) {
    machine.commit(
      walker,
      K.stage2Created,
      world.shape.startLevel,
      config.ipaBits,
      0,
      0,
      0,
      0,
      0,
      0,
      world.shape.rootPages,
      featureBits(machine),
    );
  } else {
    machine.note(walker, K.dsbCompleted, 0, DSB.ishst, 0);
    for (let vcpu = 0; vcpu < config.vcpus; vcpu += 1) machine.start(vcpu);
    walker.hostPhase = -1;
    walker.pc = PC.idle;
  }
  walker.hostPhase += 1;
}

function featureBits({ config }: Machine): number {
  const bits = [config.fwb, config.tlbRange, config.lpa2, config.xnx, config.asStage1, false, config.hardwareAccessFlag];
  return bits.reduce((sum, on, i) => sum + (on ? 2 ** i : 0), 0);
}

function hostLocked(machine: Machine, walker: Walker): void {
  if (walker.command === COMMAND.destroy || walker.command === COMMAND.destroyVm) {
    walker.destroyRoot = machine.stage2(walker).root;
    walker.rangeCursor = 0;
    walker.rangeEnd = machine.stage2(walker).root < 0 ? 0 : machine.world.shape.ipaBytes;
    if (machine.stage2(walker).root >= 0) machine.commit(walker, K.stage2Destroyed, 0, 0, walker.destroyRoot, 0, 0, 0, 0, 0, 0, 0);
    release(walker, PC.hostChunk);
    return;
  }
  chunk(machine, walker);
}

/** Begins the walk over the next chunk. */
function chunk(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  if (walker.rangeCursor >= walker.rangeEnd) {
    rangeDone(machine, walker);
    return;
  }
  const from = walker.rangeCursor;
  const to = chunkEnd(machine, walker, from);
  walker.rangeCursor = to;
  walker.prot = 0;
  walker.phys = 0;
  const begin = (op: number, flags: number) => beginWalk(walker, op, flags, from, to - from, PC.hostChunkDone);
  switch (walker.command) {
    case COMMAND.unmapRange:
    case COMMAND.memslotDelete:
      begin(OP.unmap, WALK_FLAG.leaf | WALK_FLAG.tablePost);
      return;
    case COMMAND.ageRange:
      begin(OP.age, WALK_FLAG.leaf);
      return;
    case COMMAND.dirtyLogOff:
      beginCollapse(machine, walker, from, to - from);
      return;
    case COMMAND.destroy:
    case COMMAND.destroyVm:
      begin(OP.destroy, WALK_FLAG.leaf | WALK_FLAG.tablePost);
      return;
    default:
      begin(OP.wrprotect, WALK_FLAG.leaf | WALK_FLAG.ignoreEagain);
      chooseAttributes(walker);
  }
}

/** Where the chunk that begins at `from` ends: at the next multiple of the largest block, or after a turn of recovery in place. */
function chunkEnd({ world, config }: Machine, walker: Walker, from: number): number {
  // The library's own destroy is one walk, and so is ageing; everything else of KVM's goes in chunks.
  if (walker.command === COMMAND.destroy || walker.command === COMMAND.ageRange) return walker.rangeEnd;
  const turn = walker.command === COMMAND.dirtyLogOff && config.collapse === 'in-place' ? config.recoveryTurnBytes : 0;
  const size = spanBytes(world.shape, turn === 0 ? world.shape.minBlockLevel : LAST_LEVEL - 1);
  return Math.min(walker.rangeEnd, alignDown(from, size) + (turn === 0 ? size : turn));
}

/**
 * Between chunks core and lock are offered, the lock to whoever waits for it.
 * @source stage2_apply_range(), cond_resched_rwlock_write(); stage2_destroy_range(), which holds no lock
 */
function chunkDone(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  const atomic = walker.command === COMMAND.unmapRange && (walker.access & COMMAND_FLAG.atomic) !== 0;
  const mayYield = !atomic && walker.rangeCursor < walker.rangeEnd;
  if (mayYield) machine.note(walker, K.yieldOffered, 0, LOCK.mmu, 0);
  if (mayYield && walker.lockMode !== 0 && machine.stage2(walker).lock.waitingCount > 0) release(walker, PC.hostRelock);
  else chunk(machine, walker);
}

function rangeDone(machine: Machine, walker: Walker): void {
  const destroys = walker.command === COMMAND.destroy || walker.command === COMMAND.destroyVm;
  if (destroys) {
    walker.hostPhase = 0;
    walker.pc = walker.destroyRoot < 0 ? PC.hostEnd : PC.hostFreeRoot;
  } else if (walker.command === COMMAND.ageRange && walker.young === 3 && (walker.access & COMMAND_FLAG.flushIfYoung) !== 0) {
    flush(machine, walker, FLUSH.vmid, 0, 0, -1, PC.hostUnlock);
  } else if (walker.command === COMMAND.dirtyLogClear && machine.config.initiallyAllSet && walker.bytes !== 0) {
    // What is cleared is split in the same go: nothing was when logging began.
    walker.rangeCursor = walker.pa;
    beginHostSplit(machine, walker, PC.hostUnlock);
  } else {
    release(walker, PC.hostUnlocked);
  }
}

/** The lock is free again: what was write-protected must be flushed; when logging began, then split under the lock. */
function hostUnlocked(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  const clearedNothing = walker.command === COMMAND.dirtyLogClear && walker.bytes === 0;
  if ((walker.command !== COMMAND.dirtyLogOn && walker.command !== COMMAND.dirtyLogClear) || clearedNothing) {
    walker.pc = PC.hostEnd;
    return;
  }
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  assert(memslot !== undefined, 'the memslot of a dirty log operation stays while the operation runs');
  const splits = walker.command === COMMAND.dirtyLogOn;
  flush(machine, walker, FLUSH.range, memslot.ipa, memslot.bytes, -1, splits ? PC.splitBegin : PC.hostEnd);
  walker.rangeCursor = walker.pa;
}

function freeRoot(machine: Machine, walker: Walker): void {
  const { rootPages, startLevel } = machine.stage2(walker).shape;
  // Root pages go back whole, without a look at their counts. @source kvm_pgtable_stage2_destroy_pgd(): free_pages_exact
  machine.freeTable(walker, walker.destroyRoot + walker.hostPhase, startLevel);
  walker.hostPhase += 1;
  if (walker.hostPhase === rootPages) {
    walker.hostPhase = 0;
    walker.pc = PC.hostEnd;
  }
}

function end(machine: Machine, walker: Walker): void {
  walker.walkId = 0;
  const result = walker.command === COMMAND.ageRange ? walker.young & 1 : walker.result;
  machine.commit(walker, K.operationEnded, 0, 0, 0, 0, 0, 0, 0, walker.ipa, HOST_OPERATION[walker.command]!, result);
  finishCommand(walker, result);
}
