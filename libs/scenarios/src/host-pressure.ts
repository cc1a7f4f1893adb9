import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { GuestLayout } from './guest-layout.ts';

/** Ageing looks at this many times the memory that an unmap takes, as reclaim scans more than it evicts. */
const AGE_FACTOR = 4;

/** The host’s MMU notifier calls on guest memory: ranges are aged or unmapped at random times. */
export class HostPressure {
  private readonly layout: GuestLayout;
  private readonly pages: number;
  private readonly meanNs: number;
  private readonly rangePages: number;
  private dueNs = -1;

  /**
   * @param pages pages of guest memory from the first on that calls may concern
   * @param meanNs mean time between calls, 0 = never
   */
  constructor(layout: GuestLayout, pages: number, meanNs: number, rangeBytes: number) {
    this.layout = layout;
    this.pages = pages;
    this.meanNs = meanNs;
    this.rangePages = Math.max(1, Math.floor(rangeBytes / layout.pageBytes));
  }

  /** Next call is counted from `nowNs` on. */
  restart(nowNs: number, prng: Prng): void {
    this.dueNs = nowNs + this.gap(prng);
  }

  /** Fills in a call if one is due; otherwise a delay until the next one or `untilNs`, whichever is sooner. */
  runUntil(untilNs: number, nowNs: number, prng: Prng, command: Command): void {
    if (this.meanNs > 0 && nowNs >= this.dueNs) {
      this.restart(nowNs, prng);
      this.call(prng, command);
      return;
    }
    const wakeNs = this.meanNs > 0 ? Math.min(untilNs, this.dueNs) : untilNs;
    command.kind = COMMAND.delay;
    command.durationNs = Math.max(1, wakeNs - nowNs);
  }

  private call(prng: Prng, command: Command): void {
    const aged = prng.below(2) === 0;
    const length = Math.min(this.pages, aged ? AGE_FACTOR * this.rangePages : this.rangePages);
    const first = prng.below(this.pages - length + 1);
    command.ipa = this.layout.ipaOf(first);
    command.bytes = length * this.layout.pageBytes;
    command.kind = aged ? COMMAND.ageRange : COMMAND.unmapRange;
    command.makeOld = aged ? 1 : 0;
  }

  private gap(prng: Prng): number {
    return 1 + prng.below(Math.max(1, 2 * this.meanNs));
  }
}
