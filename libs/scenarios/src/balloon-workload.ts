import type { Command, Prng } from '@s2lab/engine';
import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { AccessWorkload } from './access-workload.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { delay } from './vm-workload.ts';
import type { BalloonParams } from './workload-params.ts';

/**
 * A balloon takes the end of guest memory away, chunk by chunk, and gives it back, again and again. The guest does not touch what is in
 * the balloon; the host unmaps each chunk, and gives up the huge page that it is a part of.
 * @source QEMU hw/virtio/virtio-balloon.c balloon_inflate_page() (madvise MADV_DONTNEED); Linux mm/madvise.c
 */
export class BalloonWorkload extends AccessWorkload {
  private readonly params: BalloonParams;
  private readonly chunkPages: number;
  /** Pages of the working set that the balloon holds at most. */
  private readonly mostPages: number;
  private inflatedPages = 0;
  private inflating = true;
  private dueNs = 0;

  constructor(spec: MachineSpec, params: BalloonParams, startNs: number, seed: number) {
    super(spec, params, startNs, seed);
    this.params = params;
    this.chunkPages = Math.max(1, Math.floor(params.chunkBytes / this.layout.pageBytes));
    this.mostPages = Math.min(this.pattern.pages - 1, Math.floor((this.pattern.pages * params.balloonPercent) / 100));
  }

  protected override access(vcpu: number, prng: Prng, command: Command): void {
    const page = this.pattern.draw(vcpu, prng, command);
    const left = this.pattern.pages - this.inflatedPages;
    if (page >= left) command.ipa = this.layout.ipaOf(page % left);
  }

  protected override begin(nowNs: number): void {
    this.dueNs = nowNs + this.params.holdNs;
  }

  protected override host(nowNs: number, _prng: Prng, command: Command): void {
    if (nowNs < this.dueNs) {
      delay(command, this.dueNs - nowNs);
      return;
    }
    const change = this.inflating
      ? Math.min(this.chunkPages, this.mostPages - this.inflatedPages)
      : -Math.min(this.chunkPages, this.inflatedPages);
    if (change === 0) {
      this.inflating = !this.inflating;
      this.dueNs = nowNs + Math.max(1, this.params.holdNs);
      delay(command, this.dueNs - nowNs);
      return;
    }
    this.inflatedPages += change;
    this.dueNs = nowNs + Math.max(1, this.params.chunkNs);
    if (change > 0) this.takeAway(change, command);
    else delay(command, this.dueNs - nowNs);
  }

  /** The host drops the pages last taken into the balloon. */
  private takeAway(pages: number, command: Command): void {
    command.kind = COMMAND.unmapRange;
    command.ipa = this.layout.ipaOf(this.pattern.pages - this.inflatedPages);
    command.bytes = pages * this.layout.pageBytes;
    command.flags = COMMAND_FLAG.splitsHugePages;
  }
}
