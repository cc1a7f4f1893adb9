import { K, LOCK_MODE } from '@s2lab/events';
import { assert } from './assert.ts';
import { acquire } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { Backing } from './memslots.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';
import type { Command } from './workload.ts';
import { COMMAND } from './workload.ts';

/*
 * Memslots and dirty logging: Linux virt/kvm/kvm_main.c kvm_set_memory_region(), kvm_clear_dirty_log_protect(); arch/arm64/kvm/mmu.c
 * kvm_arch_commit_memory_region(), kvm_arch_mmu_enable_log_dirty_pt_masked().
 */

/** Begins an operation on a memslot. */
export function beginMemoryOperation(machine: Machine, walker: Walker, command: Command): void {
  walker.memslot = command.memslot;
  walker.pc = PC.hostEnd;
  switch (command.kind) {
    case COMMAND.memslotCreate:
      create(machine, walker, command);
      return;
    case COMMAND.dirtyLogOff:
      machine.note(walker, K.dirtyLogStopped, 0, command.memslot, 0);
      releaseCache(machine, walker);
      if (machine.config.collapse === 'lazy') return;
      break;
    default:
      break;
  }
  const memslot = machine.stage2(walker).memslotById(command.memslot);
  assert(memslot !== undefined, `the workload named memslot ${command.memslot}, which does not exist`);
  walker.rangeCursor = memslot.ipa;
  walker.rangeEnd = memslot.ipa + memslot.bytes;
  walker.pa = memslot.ipa;
  switch (command.kind) {
    case COMMAND.memslotDelete:
      // The memslot is invalid first, so that no new fault finds it; then its range is unmapped.
      machine.note(walker, K.memslotDeleted, 0, command.memslot, 0);
      machine.backings.delete(command.memslot);
      acquire(walker, LOCK_MODE.write, PC.hostLocked);
      return;
    case COMMAND.dirtyLogOff:
      acquire(walker, LOCK_MODE.write, PC.hostLocked);
      return;
    case COMMAND.dirtyLogOn:
      machine.note(walker, K.dirtyLogStarted, 0, command.memslot, machine.config.initiallyAllSet ? 1 : 0);
      if (!machine.config.initiallyAllSet) acquire(walker, LOCK_MODE.write, PC.hostLocked);
      return;
    case COMMAND.dirtyLogClear: {
      const page = machine.world.shape.pageBytes;
      walker.maskLo = command.maskLo;
      walker.maskHi = command.maskHi;
      walker.bytes = 0;
      walker.ipa = memslot.ipa + command.firstPage * page;
      acquire(walker, LOCK_MODE.write, PC.memoryEvents);
      return;
    }
    default:
      assert(false, `command ${command.kind} is no memslot operation`);
  }
}

/** The cache of eager splitting is not kept. @source kvm_arch_commit_memory_region(): kvm_mmu_free_memory_cache() */
function releaseCache(machine: Machine, walker: Walker): void {
  if (walker.memcache === 0) return;
  machine.note(walker, K.cacheReleased, 0, walker.memcache, 0);
  walker.memcache = 0;
}

function create(machine: Machine, walker: Walker, command: Command): void {
  machine.commit(
    walker,
    K.memslotCreated,
    0,
    0,
    0,
    command.bytes,
    command.bytes / 0x1_0000_0000,
    command.pa,
    command.pa / 0x1_0000_0000,
    command.ipa,
    command.memslot,
    command.readOnly !== 0 ? 1 : 0,
  );
  machine.backings.set(command.memslot, new Backing(command.hva, command.vmaShift, command.thp));
}

/** One step of clearing a word of the dirty log, under the lock: the dirty bits, then write protection of what they span. */
export function stepMemory(machine: Machine, walker: Walker): void {
  assert(walker.pc === PC.memoryEvents, `actor ${walker.actor}: no memory step at pc ${walker.pc}`);
  const memslot = machine.stage2(walker).memslotById(walker.memslot);
  assert(memslot !== undefined, 'the memslot of a dirty log operation stays while the operation runs');
  const page = machine.world.shape.pageBytes;
  const base = (walker.ipa - memslot.ipa) / page;
  const isDirty = (bit: number) => asked(walker, bit) && memslot.isDirty(base + bit);
  let first = 0;
  while (first < 64 && !isDirty(first)) first += 1;
  if (first === 64) {
    // walker.bytes holds the last cleared page + 1 and walker.pa the first one: what the cleared bits span is write-protected.
    const empty = walker.bytes === 0;
    walker.rangeCursor = empty ? 0 : walker.pa;
    walker.rangeEnd = empty ? 0 : walker.bytes;
    walker.pc = PC.hostChunk;
    return;
  }
  let end = first;
  while (end < 64 && isDirty(end)) end += 1;
  const from = walker.ipa + first * page;
  const bytes = (end - first) * page;
  if (walker.bytes === 0) walker.pa = from;
  walker.bytes = from + bytes;
  machine.commit(walker, K.dirtyLogCleared, 0, 0, 0, bytes, bytes / 0x1_0000_0000, 0, 0, from, walker.memslot, 0);
}

function asked(walker: Walker, bit: number): boolean {
  return bit < 32 ? (walker.maskLo & (1 << bit)) !== 0 : (walker.maskHi & (1 << (bit - 32))) !== 0;
}
