import type { Command, Prng } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import { AccessPattern } from './access-pattern.ts';
import { HostPressure } from './host-pressure.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { announce, delay, POLL_NS, VmWorkload, VMM } from './vm-workload.ts';
import type { SteadyParams } from './workload-params.ts';

/** Skewed reads, writes and instruction fetches over a working set, with think time; the host ages and unmaps now and then. */
export class SteadyWorkload extends VmWorkload {
  private readonly pattern: AccessPattern;
  private readonly pressure: HostPressure;
  private readonly params: SteadyParams;
  private readonly left: Float64Array;
  private announced = false;

  constructor(spec: MachineSpec, params: SteadyParams, startNs: number, seed: number) {
    super(spec, startNs, seed);
    this.params = params;
    this.pattern = new AccessPattern(this.layout, spec.vcpus, params);
    this.pressure = new HostPressure(this.layout, this.pattern.pages, params.notifierNs, params.notifierBytes);
    this.left = new Float64Array(spec.vcpus).fill(params.accessesPerVcpu === 0 ? Infinity : params.accessesPerVcpu);
  }

  protected override runVcpu(vcpu: number, prng: Prng, command: Command): boolean {
    if (this.left[vcpu] === 0) return false;
    this.left[vcpu] = this.left[vcpu]! - 1;
    this.pattern.draw(vcpu, prng, command);
    return true;
  }

  protected override runVmm(nowNs: number, prng: Prng, command: Command): number {
    if (!this.announced) {
      this.announced = true;
      this.pressure.restart(nowNs, prng);
      announce(command, PHASE.steady, 0);
      return VMM.commanded;
    }
    if (this.allFinished()) return VMM.finished;
    if (this.params.notifierNs === 0) delay(command, POLL_NS);
    else this.pressure.runUntil(nowNs + POLL_NS, nowNs, prng, command);
    return VMM.commanded;
  }

  protected override thinkNs(): number {
    return this.params.thinkNs;
  }
}
