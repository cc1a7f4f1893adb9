import type { Command, Prng } from '@s2lab/engine';
import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { AccessWorkload } from './access-workload.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { delay } from './vm-workload.ts';
import type { AgeingParams } from './workload-params.ts';

/**
 * The host looks for cold memory and swaps it out: it goes round guest memory, tests and clears the access flags of one range after another,
 * and unmaps a range that nobody has touched since the last round. The guest faults it in again when it comes back.
 * @source Linux mm/vmscan.c (second chance), virt/kvm/kvm_main.c kvm_mmu_notifier_clear_young(), kvm_mmu_notifier_invalidate_range_start()
 */
export class AgeingWorkload extends AccessWorkload {
  private readonly params: AgeingParams;
  private readonly rangePages: number;
  private readonly ranges: number;
  /** Of each range: 1 once it was looked at and has not been swapped out since. */
  private readonly resident: Uint8Array;
  private range = 0;
  private looked = false;
  private dueNs = 0;

  constructor(spec: MachineSpec, params: AgeingParams, startNs: number, seed: number) {
    super(spec, params, startNs, seed);
    this.params = params;
    this.rangePages = Math.max(1, Math.floor(params.scanBytes / this.layout.pageBytes));
    this.ranges = Math.ceil(this.pattern.pages / this.rangePages);
    this.resident = new Uint8Array(this.ranges);
  }

  protected override begin(nowNs: number): void {
    this.dueNs = nowNs + this.params.scanNs;
  }

  protected override host(nowNs: number, _prng: Prng, command: Command, lastResult: number): void {
    if (this.looked) {
      this.looked = false;
      const at = this.range;
      this.range = (at + 1) % this.ranges;
      const cold = lastResult === 0 && this.resident[at] === 1;
      this.resident[at] = lastResult === 1 ? 1 : 0;
      if (cold) {
        this.aim(at, command);
        command.kind = COMMAND.unmapRange;
        command.flags = COMMAND_FLAG.splitsHugePages;
        return;
      }
    }
    if (nowNs < this.dueNs) {
      delay(command, this.dueNs - nowNs);
      return;
    }
    this.dueNs = nowNs + Math.max(1, this.params.scanNs);
    this.looked = true;
    this.aim(this.range, command);
    command.kind = COMMAND.ageRange;
    command.makeOld = 1;
    command.flags = this.params.flushYoung ? COMMAND_FLAG.flushIfYoung : 0;
  }

  private aim(range: number, command: Command): void {
    const first = range * this.rangePages;
    command.ipa = this.layout.ipaOf(first);
    command.bytes = Math.min(this.rangePages, this.pattern.pages - first) * this.layout.pageBytes;
  }
}
