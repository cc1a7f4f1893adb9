import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { AccessPattern } from './access-pattern.ts';
import type { GuestLayout } from './guest-layout.ts';

/** Sizes of a boot, bytes and counts. */
export interface BootShape {
  readonly kernelBytes: number;
  readonly initrdBytes: number;
  readonly strideBytes: number;
  readonly randomTouches: number;
}

/**
 * What vCPUs do while a guest boots: write the kernel image page by page, each vCPU every n-th page so that neighbours fault
 * at once; run it; read the initial RAM disk in strides; then touch memory at random.
 */
export class BootSequence {
  private readonly layout: GuestLayout;
  private readonly pattern: AccessPattern;
  private readonly vcpus: number;
  private readonly kernelPages: number;
  private readonly strides: number;
  private readonly stridePages: number;
  private readonly randomTouches: number;
  /** Next step of each vCPU; a double, since it may pass 2^32. */
  private readonly at: Float64Array;

  constructor(layout: GuestLayout, pattern: AccessPattern, vcpus: number, shape: BootShape) {
    this.layout = layout;
    this.pattern = pattern;
    this.vcpus = vcpus;
    this.kernelPages = Math.floor(shape.kernelBytes / layout.pageBytes);
    this.stridePages = Math.max(1, Math.floor(shape.strideBytes / layout.pageBytes));
    this.strides = Math.ceil(shape.initrdBytes / layout.pageBytes / this.stridePages);
    this.randomTouches = shape.randomTouches;
    this.at = new Float64Array(vcpus);
  }

  /** Fills in the next access of `vcpu`; gives the page it goes to, or -1 when the vCPU has booted. */
  draw(vcpu: number, prng: Prng, command: Command): number {
    const share = Math.ceil(this.kernelPages / this.vcpus);
    let step = this.at[vcpu]!;
    this.at[vcpu] = step + 1;
    if (step < 2 * share) {
      const page = Math.min((step % share) * this.vcpus + vcpu, this.kernelPages - 1);
      return this.touch(page, step < share ? ACCESS.write : ACCESS.execute, command);
    }
    step = (step - 2 * share) * this.vcpus + vcpu;
    if (step < this.strides) return this.touch(this.kernelPages + step * this.stridePages, ACCESS.read, command);
    const strideSteps = this.strides <= vcpu ? 0 : Math.ceil((this.strides - vcpu) / this.vcpus);
    if (this.at[vcpu]! - 1 - 2 * share - strideSteps < this.randomTouches) return this.pattern.draw(vcpu, prng, command);
    return -1;
  }

  private touch(page: number, access: number, command: Command): number {
    command.kind = COMMAND.access;
    command.ipa = this.layout.ipaOf(page);
    command.access = access;
    return page;
  }
}
