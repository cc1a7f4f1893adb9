import type { Command, Workload } from '@s2lab/engine';
import { COMMAND, Prng } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import type { FaultSpec } from './scenario-schema.ts';

/**
 * Adds faults of one kind to a workload: now and then a command of an actor is preceded by one that injects. A preempted walker or a stalled
 * grace period holds up reclaim, so that pending frees grow; a slow TLBI holds up whoever breaks a descriptor; an empty cache makes a fault
 * fail, to be taken again.
 */
export class InjectedFaults implements Workload {
  private readonly inner: Workload;
  private readonly fault: FaultSpec;
  /** Actors whose commands count: vCPUs, and the VMM thread where it can meet the fault too. */
  private readonly vcpus: number;
  private readonly vmm: number;
  private readonly phases: ReadonlySet<number> | undefined;
  private readonly prngs: readonly Prng[];
  /** Result of each actor’s last command of the inner workload, kept over a command that injects. */
  private readonly kept: Int32Array;
  private readonly injecting: Uint8Array;
  private active: boolean;

  /** @param vcpus vCPUs of the machine */
  constructor(inner: Workload, fault: FaultSpec, vcpus: number, seed: number) {
    this.inner = inner;
    this.fault = fault;
    this.vcpus = Math.min(vcpus, fault.vcpus ?? vcpus);
    this.vmm = fault.vcpus === undefined && (fault.kind === 'slow-tlbi' || fault.kind === 'empty-cache') ? vcpus : -1;
    this.phases = fault.phases === undefined ? undefined : new Set(fault.phases.map((name) => PHASE[name]));
    this.prngs = Array.from({ length: vcpus + 1 }, (_, i) => new Prng((seed ^ Math.imul(i + 1, 0x85eb_ca6b)) >>> 0));
    this.kept = new Int32Array(vcpus + 1);
    this.injecting = new Uint8Array(vcpus + 1);
    this.active = this.phases === undefined;
  }

  next(actor: number, nowNs: number, lastResult: number, command: Command): void {
    if (actor >= this.vcpus && actor !== this.vmm) {
      this.ask(actor, nowNs, lastResult, command);
    } else if (this.injecting[actor] === 1) {
      this.injecting[actor] = 0;
      this.ask(actor, nowNs, this.kept[actor]!, command);
    } else if (this.active && this.prngs[actor]!.below(this.fault.oneIn) === 0) {
      this.injecting[actor] = 1;
      this.kept[actor] = lastResult;
      inject(this.fault, command);
    } else {
      this.ask(actor, nowNs, lastResult, command);
    }
  }

  private ask(actor: number, nowNs: number, lastResult: number, command: Command): void {
    this.inner.next(actor, nowNs, lastResult, command);
    if (command.kind === COMMAND.phase && this.phases !== undefined) this.active = this.phases.has(command.phase);
  }
}

function inject(fault: FaultSpec, command: Command): void {
  switch (fault.kind) {
    case 'preempted-walkers':
      command.kind = COMMAND.preempt;
      command.durationNs = fault.durationNs;
      command.level = fault.level;
      return;
    case 'slow-tlbi':
      command.kind = COMMAND.slowTlbi;
      command.durationNs = fault.durationNs;
      return;
    case 'empty-cache':
      command.kind = COMMAND.emptyCache;
      command.cachePages = fault.pages;
      return;
    case 'stalled-grace-periods':
      command.kind = COMMAND.stallReclaim;
      command.durationNs = fault.durationNs;
  }
}
