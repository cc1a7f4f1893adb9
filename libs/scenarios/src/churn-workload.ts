import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { AccessWorkload } from './access-workload.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { delay, POLL_NS } from './vm-workload.ts';
import type { ChurnParams } from './workload-params.ts';

const STEP = { up: 0, emptying: 1, down: 2 } as const;

/**
 * Memslots come and go, as with memory hotplug or a VMM that moves a window: one after another of the last `churnedSlots` is deleted and,
 * some time later, created again. The guest keeps off a memslot that is going away.
 * @source Linux virt/kvm/kvm_main.c kvm_set_memory_region(); QEMU hw/virtio/virtio-mem.c
 */
export class ChurnWorkload extends AccessWorkload {
  private readonly params: ChurnParams;
  private readonly churned: number;
  /** Memslot that is going or gone, -1 = none. */
  private away = -1;
  /** Memslot that each vCPU’s access goes to, -1 = none. */
  private readonly inSlot: Int32Array;
  private turn = 0;
  private step: number = STEP.up;
  private dueNs = 0;

  constructor(spec: MachineSpec, params: ChurnParams, startNs: number, seed: number) {
    super(spec, params, startNs, seed);
    this.params = params;
    this.churned = Math.min(params.churnedSlots, spec.memslots - 1);
    this.inSlot = new Int32Array(spec.vcpus).fill(-1);
  }

  protected override runVcpu(vcpu: number, prng: Prng, command: Command): boolean {
    this.inSlot[vcpu] = -1;
    return super.runVcpu(vcpu, prng, command);
  }

  protected override access(vcpu: number, prng: Prng, command: Command): void {
    const { slotPages, slots } = this.layout;
    const page = this.pattern.draw(vcpu, prng, command);
    const slot = Math.floor(page / slotPages);
    this.inSlot[vcpu] = slot === this.away ? (slot + 1) % slots : slot;
    command.ipa = this.layout.ipaOf(this.inSlot[vcpu] * slotPages + (page % slotPages));
  }

  protected override begin(nowNs: number): void {
    this.dueNs = nowNs + this.params.churnNs;
  }

  protected override host(nowNs: number, _prng: Prng, command: Command): void {
    if (nowNs < this.dueNs) {
      delay(command, this.dueNs - nowNs);
      return;
    }
    switch (this.step) {
      case STEP.up:
        this.away = this.layout.slots - 1 - this.turn;
        this.turn = (this.turn + 1) % this.churned;
        this.step = STEP.emptying;
        delay(command, POLL_NS);
        return;
      case STEP.emptying:
        if (this.inSlot.includes(this.away)) {
          delay(command, POLL_NS);
          return;
        }
        command.kind = COMMAND.memslotDelete;
        command.memslot = this.away;
        this.step = STEP.down;
        this.dueNs = nowNs + this.params.downNs;
        return;
      default:
        command.kind = COMMAND.memslotCreate;
        this.layout.describeSlot(this.away, command);
        this.away = -1;
        this.step = STEP.up;
        this.dueNs = nowNs + this.params.churnNs;
    }
  }
}
