import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { PHASE } from '@s2lab/events';
import { AccessWorkload } from './access-workload.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { announce, delay, POLL_NS } from './vm-workload.ts';
import type { DestroyParams } from './workload-params.ts';

/**
 * The stage-2 is destroyed while the vCPUs still run: those in the fault handler find nothing to map into, and every later access aborts.
 * @source Linux arch/arm64/kvm/mmu.c kvm_free_stage2_pgd(): the lock is held only while the tables are unhooked
 */
export class DestroyWorkload extends AccessWorkload {
  private readonly params: DestroyParams;
  private dueNs = 0;
  private warned = false;
  private gone = false;

  constructor(spec: MachineSpec, params: DestroyParams, startNs: number, seed: number) {
    super(spec, { ...params, accessesPerVcpu: 0 }, startNs, seed);
    this.params = params;
  }

  protected override begin(nowNs: number): void {
    this.dueNs = nowNs + this.params.destroyAfterNs;
  }

  protected override host(nowNs: number, _prng: Prng, command: Command): void {
    if (nowNs < this.dueNs) delay(command, this.dueNs - nowNs);
    else if (this.gone) delay(command, POLL_NS);
    else if (!this.warned) {
      this.warned = true;
      announce(command, PHASE.teardown, 0);
    } else {
      this.gone = true;
      this.endAfter(this.params.accessesAfter);
      command.kind = COMMAND.destroyVm;
    }
  }

  protected override destroyed(): boolean {
    return this.gone;
  }
}
