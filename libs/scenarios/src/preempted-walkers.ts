import type { Command, Workload } from '@s2lab/engine';
import { COMMAND, Prng } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import type { FaultSpec } from './scenario-schema.ts';

/**
 * Adds preempted walkers to a workload: now and then a vCPU is taken off its CPU in the middle of its next walk. Inside a
 * read-side section that holds up the grace period, and pending frees grow.
 */
export class PreemptedWalkers implements Workload {
  private readonly inner: Workload;
  private readonly durationNs: number;
  private readonly oneIn: number;
  private readonly vcpus: number;
  private readonly phases: ReadonlySet<number> | undefined;
  private readonly prngs: readonly Prng[];
  /** Result of each actor’s last command of the inner workload, kept over a preempt command. */
  private readonly kept: Int32Array;
  private readonly preempting: Uint8Array;
  private active: boolean;

  /** @param vcpus vCPUs of the machine */
  constructor(inner: Workload, fault: FaultSpec, vcpus: number, seed: number) {
    this.inner = inner;
    this.durationNs = fault.durationNs;
    this.oneIn = fault.oneIn;
    this.vcpus = Math.min(vcpus, fault.vcpus ?? vcpus);
    this.phases = fault.phases === undefined ? undefined : new Set(fault.phases.map((name) => PHASE[name]));
    this.prngs = Array.from({ length: this.vcpus }, (_, i) => new Prng((seed ^ Math.imul(i + 1, 0x85eb_ca6b)) >>> 0));
    this.kept = new Int32Array(this.vcpus);
    this.preempting = new Uint8Array(this.vcpus);
    this.active = this.phases === undefined;
  }

  next(actor: number, nowNs: number, lastResult: number, command: Command): void {
    if (actor >= this.vcpus) {
      this.inner.next(actor, nowNs, lastResult, command);
      if (command.kind === COMMAND.phase && this.phases !== undefined) this.active = this.phases.has(command.phase);
      return;
    }
    if (this.preempting[actor] === 1) {
      this.preempting[actor] = 0;
      this.inner.next(actor, nowNs, this.kept[actor]!, command);
      return;
    }
    if (this.active && this.prngs[actor]!.below(this.oneIn) === 0) {
      this.preempting[actor] = 1;
      this.kept[actor] = lastResult;
      command.kind = COMMAND.preempt;
      command.durationNs = this.durationNs;
      return;
    }
    this.inner.next(actor, nowNs, lastResult, command);
  }
}
