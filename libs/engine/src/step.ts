import { assert } from './assert.ts';
import { stepAttributes } from './attribute-steps.ts';
import { stepCollapse } from './collapse-steps.ts';
import { stepIdle } from './command-steps.ts';
import { stepFault } from './fault-steps.ts';
import { stepFlush } from './flush-steps.ts';
import { stepFree } from './free-steps.ts';
import { stepGuest } from './guest-steps.ts';
import { stepHost } from './host-steps.ts';
import { stepHostSplit } from './host-split-steps.ts';
import { stepLock } from './lock-steps.ts';
import type { Machine } from './machine.ts';
import { stepMap } from './map-steps.ts';
import { stepMemory } from './memory-steps.ts';
import { GROUP } from './pc.ts';
import { stepPkvm } from './pkvm-steps.ts';
import { stepReclaim } from './reclaim-steps.ts';
import { stepSplit } from './split-steps.ts';
import { stepStraight } from './straight-steps.ts';
import { stepV61 } from './v61-steps.ts';
import { stepUnmap } from './unmap-steps.ts';
import { stepWalk } from './walk-steps.ts';
import type { Walker } from './walker.ts';

/**
 * Decides an actor's next shared-memory access and commits it: the unit that a scheduler interleaves. A step commits at most
 * EVENTS_PER_STEP events; one that commits none is a branch of the program.
 */
export function step(machine: Machine, walker: Walker): void {
  switch (walker.pc >> 5) {
    case GROUP.walk:
      stepWalk(machine, walker);
      return;
    case GROUP.map:
      stepMap(machine, walker);
      return;
    case GROUP.guest:
      stepGuest(machine, walker);
      return;
    case GROUP.fault:
      stepFault(machine, walker);
      return;
    case GROUP.flush:
      stepFlush(machine, walker);
      return;
    case GROUP.lock:
      stepLock(machine, walker);
      return;
    case GROUP.attributes:
      stepAttributes(machine, walker);
      return;
    case GROUP.free:
      stepFree(machine, walker);
      return;
    case GROUP.unmap:
      stepUnmap(machine, walker);
      return;
    case GROUP.split:
      stepSplit(machine, walker);
      return;
    case GROUP.straight:
      stepStraight(machine, walker);
      return;
    case GROUP.host:
      stepHost(machine, walker);
      return;
    case GROUP.hostSplit:
      stepHostSplit(machine, walker);
      return;
    case GROUP.memory:
      stepMemory(machine, walker);
      return;
    case GROUP.v61:
      stepV61(machine, walker);
      return;
    case GROUP.collapse:
      stepCollapse(machine, walker);
      return;
    case GROUP.pkvm:
      stepPkvm(machine, walker);
      return;
    case GROUP.reclaim:
      stepReclaim(machine, walker);
      return;
    case GROUP.idle:
      stepIdle(machine, walker);
      return;
    default:
      assert(false, `actor ${walker.actor}: no group of steps for pc ${walker.pc}`);
  }
}
