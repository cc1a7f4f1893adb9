import type { Machine } from '@s2lab/engine';
import { step } from '@s2lab/engine';
import { Tournament } from './tournament.ts';

/**
 * Runs one machine on virtual time: the actor whose clock is furthest behind makes the next step, which takes the time that its events
 * cost. Waiting actors have no clock until somebody wakes them.
 */
export class MachineRun {
  readonly machine: Machine;
  private readonly order: Tournament;
  private readonly clock: Float64Array;
  stopped = false;
  /** Steps made so far. */
  steps = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.clock = machine.clock;
    this.order = new Tournament(machine.clock);
  }

  /** Virtual time of the next step, ns. */
  get nowNs(): number {
    return this.clock[this.order.first]!;
  }

  /**
   * Steps until the columns are full, the next step lies at or after `limitNs`, or the machine has stopped.
   * @throws Error when every actor waits for another one: the machine cannot go on
   */
  runUntil(limitNs: number): void {
    const { machine, clock, order } = this;
    const full = machine.columns.capacity - machine.eventsPerStep;
    while (machine.columns.length <= full) {
      const actor = order.first;
      const at = clock[actor]!;
      if (at >= limitNs) {
        if (at === Infinity) this.stop(0);
        return;
      }
      const walker = machine.walkers[actor]!;
      machine.beginStep(at);
      step(machine, walker);
      this.steps += 1;
      clock[actor] = walker.blocked !== 0 || walker.isFinished ? Infinity : at + machine.stepCost();
      if (machine.takeWoken()) order.rebuild();
      else order.update(actor);
    }
  }

  /** Stops the machine where it stands. */
  interrupt(): void {
    this.machine.beginStep(Math.max(this.machine.at, Math.min(this.nowNs, Number.MAX_SAFE_INTEGER)));
    this.stop(1);
  }

  private stop(cause: 0 | 1): void {
    if (cause === 0 && !this.machine.done) throw new Error(`deadlock: ${this.machine.describeWaiting()}`);
    this.machine.stop(cause);
    this.stopped = true;
  }
}
