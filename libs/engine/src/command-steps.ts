import { K, RESULT } from '@s2lab/events';
import type { Machine } from './machine.ts';
import { beginOperation } from './host-steps.ts';
import { PC } from './pc.ts';
import { stepGuest } from './guest-steps.ts';
import { beginHypervisorOperation, isHypervisorCommand } from './pkvm-steps.ts';
import { beginStraightWalk } from './straight-steps.ts';
import type { Walker } from './walker.ts';
import type { Command } from './workload.ts';
import { COMMAND, COMMAND_FLAG } from './workload.ts';

/** An idle actor asks its workload what to do, and begins it. */
export function stepIdle(machine: Machine, walker: Walker): void {
  const { command } = machine;
  resetCommand(command);
  machine.workload.next(walker.actor, machine.at, walker.commandResult, command);
  walker.command = command.kind;
  walker.ipa = command.ipa;
  walker.bytes = command.bytes;
  switch (command.kind) {
    case COMMAND.access:
      if (machine.hypervisor !== undefined) walker.vmid = command.vmid;
      walker.access = command.access;
      walker.stale = command.flags & COMMAND_FLAG.stale;
      walker.commandResult = RESULT.ok;
      walker.pc = PC.guestAccess;
      stepGuest(machine, walker);
      return;
    case COMMAND.delay:
      machine.spend(Math.max(1, command.durationNs));
      return;
    case COMMAND.done:
      walker.pc = PC.finished;
      machine.finished += 1;
      return;
    case COMMAND.phase:
      machine.note(walker, K.phaseBegan, 0, command.phase, command.pass);
      return;
    case COMMAND.preempt:
      walker.preemptNs = command.durationNs;
      walker.preemptLevel = command.level;
      return;
    case COMMAND.slowTlbi:
      walker.slowTlbiNs = command.durationNs;
      return;
    case COMMAND.emptyCache:
      walker.starved = 1 + command.cachePages;
      return;
    case COMMAND.stallReclaim:
      machine.walkers[machine.reclaimActor]!.stallNs = command.durationNs;
      return;
    case COMMAND.map:
    case COMMAND.unmap:
    case COMMAND.wrprotect:
    case COMMAND.relax:
    case COMMAND.mkyoung:
    case COMMAND.age:
    case COMMAND.split:
    case COMMAND.annotate:
    case COMMAND.flush:
    case COMMAND.leaf:
      beginStraightWalk(machine, walker, command);
      return;
    default:
      if (isHypervisorCommand(command.kind)) beginHypervisorOperation(machine, walker, command);
      else beginOperation(machine, walker, command);
  }
}

function resetCommand(command: Command): void {
  command.kind = COMMAND.done;
  command.durationNs = 0;
  command.ipa = 0;
  command.bytes = 0;
  command.pa = 0;
  command.access = 0;
  command.prot = 0;
  command.flags = 0;
  command.cachePages = 0;
  command.memslot = 0;
  command.hva = 0;
  command.vmaShift = 0;
  command.thp = 0;
  command.readOnly = 0;
  command.firstPage = 0;
  command.maskLo = 0;
  command.maskHi = 0;
  command.makeOld = 0;
  command.annotationType = 0;
  command.annotation = 0;
  command.phase = 0;
  command.level = 0;
  command.pass = 0;
  command.vmid = 0;
  command.ipaBits = 0;
  command.protected = 0;
}
