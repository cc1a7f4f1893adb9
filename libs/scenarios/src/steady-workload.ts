import type { Command, Prng } from '@s2lab/engine';
import { AccessWorkload } from './access-workload.ts';
import { HostPressure } from './host-pressure.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { delay, POLL_NS } from './vm-workload.ts';
import type { SteadyParams } from './workload-params.ts';

/** Skewed reads, writes and instruction fetches over a working set, with think time; the host ages and unmaps now and then. */
export class SteadyWorkload extends AccessWorkload {
  private readonly pressure: HostPressure;
  private readonly params: SteadyParams;

  constructor(spec: MachineSpec, params: SteadyParams, startNs: number, seed: number) {
    super(spec, params, startNs, seed);
    this.params = params;
    this.pressure = new HostPressure(this.layout, this.pattern.pages, params.notifierNs, params.notifierBytes);
  }

  protected override begin(nowNs: number, prng: Prng): void {
    this.pressure.restart(nowNs, prng);
  }

  protected override host(nowNs: number, prng: Prng, command: Command): void {
    if (this.params.notifierNs === 0) delay(command, POLL_NS);
    else this.pressure.runUntil(nowNs + POLL_NS, nowNs, prng, command);
  }
}
