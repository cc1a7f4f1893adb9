import type { Command, Workload } from '@s2lab/engine';
import { COMMAND, Prng } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import { GuestLayout } from './guest-layout.ts';
import type { MachineSpec } from './scenario-schema.ts';

/** How often an actor that waits for another looks again, virtual ns. */
export const POLL_NS = 2000;

const STAGE = { wait: 0, announce: 1, create: 2, run: 3, drain: 4, destroy: 5, ended: 6 } as const;

/** What the VMM thread of a generated workload got from its part of the script. */
export const VMM = { commanded: 0, finished: 1 } as const;

/**
 * Life of a virtual machine, the same for every generated workload: the VMM creates the memslots, the vCPUs run, and when all
 * have finished the stage-2 is destroyed. Subclasses say what happens in between. Asking allocates nothing.
 */
export abstract class VmWorkload implements Workload {
  protected readonly layout: GuestLayout;
  protected readonly vcpus: number;
  /** One generator per vCPU and one for the VMM: what one does never depends on when another is asked. */
  protected readonly prngs: readonly Prng[];
  private readonly startNs: number;
  private readonly finished: Uint8Array;
  private finishedCount = 0;
  private readonly thinking: Uint8Array;
  private stage: number = STAGE.wait;
  private slotsCreated = 0;

  /** @param startNs virtual time at which the VMM begins */
  constructor(spec: MachineSpec, startNs: number, seed: number) {
    this.layout = new GuestLayout(spec);
    this.vcpus = spec.vcpus;
    this.startNs = startNs;
    this.prngs = Array.from({ length: spec.vcpus + 1 }, (_, i) => new Prng((seed ^ Math.imul(i + 1, 0x9e37_79b1)) >>> 0));
    this.finished = new Uint8Array(spec.vcpus);
    this.thinking = new Uint8Array(spec.vcpus);
  }

  next(actor: number, nowNs: number, lastResult: number, command: Command): void {
    if (actor < this.vcpus) this.nextOfVcpu(actor, nowNs, command);
    else if (actor === this.vcpus) this.nextOfVmm(nowNs, lastResult, command);
    else command.kind = COMMAND.done;
  }

  /** Fills in the next guest access of `vcpu` (or a delay); false when it has nothing more to do. */
  protected abstract runVcpu(vcpu: number, prng: Prng, command: Command): boolean;

  /** Fills in what the VMM does next while the vCPUs run; VMM.finished, with no command, when its part is over. */
  protected abstract runVmm(nowNs: number, prng: Prng, command: Command, lastResult: number): number;

  /** Mean think time of a vCPU now, ns; 0 = none. */
  protected abstract thinkNs(): number;

  /** Whether the VMM has destroyed the stage-2 already, while the vCPUs ran. */
  protected destroyed(): boolean {
    return false;
  }

  /** Whether all vCPUs have finished. */
  protected allFinished(): boolean {
    return this.finishedCount === this.vcpus;
  }

  private nextOfVcpu(vcpu: number, nowNs: number, command: Command): void {
    if (this.finished[vcpu] === 1) {
      command.kind = COMMAND.done;
      return;
    }
    if (this.stage < STAGE.run) {
      delay(command, Math.max(POLL_NS, this.startNs - nowNs));
      return;
    }
    const prng = this.prngs[vcpu]!;
    const think = this.thinkNs();
    if (think > 0 && this.thinking[vcpu] === 0) {
      this.thinking[vcpu] = 1;
      delay(command, 1 + prng.below(2 * think));
      return;
    }
    this.thinking[vcpu] = 0;
    if (this.runVcpu(vcpu, prng, command)) return;
    this.finished[vcpu] = 1;
    this.finishedCount += 1;
    command.kind = COMMAND.done;
  }

  private nextOfVmm(nowNs: number, lastResult: number, command: Command): void {
    if (this.stage === STAGE.wait) {
      this.stage = STAGE.announce;
      if (this.startNs > nowNs) return delay(command, this.startNs - nowNs);
    }
    if (this.stage === STAGE.announce) {
      this.stage = STAGE.create;
      return announce(command, PHASE.boot, 0);
    }
    if (this.stage === STAGE.create) {
      if (this.slotsCreated < this.layout.slots) {
        command.kind = COMMAND.memslotCreate;
        this.layout.describeSlot(this.slotsCreated, command);
        this.slotsCreated += 1;
        return;
      }
      // Only now is the last memslot there: vCPUs that ask later find memory.
      this.stage = STAGE.run;
    }
    if (this.stage === STAGE.run) {
      if (this.runVmm(nowNs, this.prngs[this.vcpus]!, command, lastResult) === VMM.commanded) return;
      this.stage = STAGE.drain;
    }
    if (this.stage === STAGE.drain) {
      if (!this.allFinished()) return delay(command, POLL_NS);
      this.stage = this.destroyed() ? STAGE.ended : STAGE.destroy;
      if (this.stage === STAGE.destroy) return announce(command, PHASE.teardown, 0);
    }
    command.kind = this.stage === STAGE.destroy ? COMMAND.destroyVm : COMMAND.done;
    this.stage = STAGE.ended;
  }
}

/** Makes `command` a wait of `durationNs`. */
export function delay(command: Command, durationNs: number): void {
  command.kind = COMMAND.delay;
  command.durationNs = durationNs;
}

/** Makes `command` the announcement that PHASE `phase` begins. */
export function announce(command: Command, phase: number, pass: number): void {
  command.kind = COMMAND.phase;
  command.phase = phase;
  command.pass = pass;
}
