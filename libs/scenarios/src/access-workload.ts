import type { Command, Prng } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import type { AccessShape } from './access-pattern.ts';
import { AccessPattern } from './access-pattern.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { announce, VmWorkload, VMM } from './vm-workload.ts';

/** What every workload whose guest only accesses memory is told. */
export interface AccessParams extends AccessShape {
  readonly thinkNs: number;
  /** Accesses of each vCPU, 0 = without end. */
  readonly accessesPerVcpu: number;
}

/** Guests access memory by a pattern until each vCPU has made its accesses; subclasses say what the host does meanwhile. */
export abstract class AccessWorkload extends VmWorkload {
  protected readonly pattern: AccessPattern;
  private readonly think: number;
  private readonly left: Float64Array;
  private announced = false;

  constructor(spec: MachineSpec, params: AccessParams, startNs: number, seed: number) {
    super(spec, startNs, seed);
    this.pattern = new AccessPattern(this.layout, spec.vcpus, params);
    this.think = params.thinkNs;
    this.left = new Float64Array(spec.vcpus).fill(params.accessesPerVcpu === 0 ? Infinity : params.accessesPerVcpu);
  }

  protected override runVcpu(vcpu: number, prng: Prng, command: Command): boolean {
    if (this.left[vcpu] === 0) return false;
    this.left[vcpu] = this.left[vcpu]! - 1;
    this.access(vcpu, prng, command);
    return true;
  }

  protected override runVmm(nowNs: number, prng: Prng, command: Command, lastResult: number): number {
    if (!this.announced) {
      this.announced = true;
      this.begin(nowNs, prng);
      announce(command, PHASE.steady, 0);
      return VMM.commanded;
    }
    if (this.allFinished()) return VMM.finished;
    this.host(nowNs, prng, command, lastResult);
    return VMM.commanded;
  }

  protected override thinkNs(): number {
    return this.think;
  }

  /** Every vCPU makes at most `accesses` more. */
  protected endAfter(accesses: number): void {
    for (let vcpu = 0; vcpu < this.left.length; vcpu += 1) this.left[vcpu] = Math.min(this.left[vcpu]!, accesses);
  }

  /** Fills in the next access of a vCPU. */
  protected access(vcpu: number, prng: Prng, command: Command): void {
    this.pattern.draw(vcpu, prng, command);
  }

  /** The memslots are there and the vCPUs begin. */
  protected begin(_nowNs: number, _prng: Prng): void {}

  /** Fills in the host’s next operation, or a delay. */
  protected abstract host(nowNs: number, prng: Prng, command: Command, lastResult: number): void;
}
