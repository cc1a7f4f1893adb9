import type { Command, Prng } from '@s2lab/engine';
import { AccessPattern } from './access-pattern.ts';
import { BootSequence } from './boot-sequence.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { VmWorkload, VMM } from './vm-workload.ts';
import type { BootParams } from './workload-params.ts';

/** A guest boots, touches some memory and is destroyed. */
export class BootWorkload extends VmWorkload {
  private readonly sequence: BootSequence;
  private readonly think: number;

  constructor(spec: MachineSpec, params: BootParams, startNs: number, seed: number) {
    super(spec, startNs, seed);
    this.sequence = new BootSequence(this.layout, new AccessPattern(this.layout, spec.vcpus, params), spec.vcpus, params);
    this.think = params.thinkNs;
  }

  protected override runVcpu(vcpu: number, prng: Prng, command: Command): boolean {
    return this.sequence.draw(vcpu, prng, command) >= 0;
  }

  protected override runVmm(): number {
    return VMM.finished;
  }

  protected override thinkNs(): number {
    return this.think;
  }
}
