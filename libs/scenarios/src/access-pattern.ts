import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { GuestLayout } from './guest-layout.ts';

/** Pages that stay neighbours when ranks are scattered over memory: locality within a run, not between runs. */
const RUN_PAGES = 16;
const TWO_32 = 0x1_0000_0000;

/** How guest accesses are spread over memory and kinds. */
export interface AccessShape {
  readonly workingSetBytes?: number | undefined;
  /** Memory that is accessed at a time; absent = all of the working set. */
  readonly windowBytes?: number | undefined;
  /** After so many accesses of a vCPU its window moves on by one run, 0 = it stays. */
  readonly driftAccesses: number;
  readonly writePercent: number;
  readonly executePercent: number;
  /** 1 = uniform; k = rank is the k-th power of a uniform number, so that few pages take most accesses. */
  readonly skew: number;
}

/**
 * Draws skewed guest accesses, in a window that moves through the working set, as what a guest works on changes with time. Only products of doubles, never Math.pow, whose last bit may differ between machines:
 * equal seeds must give equal events everywhere.
 */
export class AccessPattern {
  /** Pages that are ever touched. */
  readonly pages: number;
  private readonly layout: GuestLayout;
  private readonly runs: number;
  private readonly windowRuns: number;
  private readonly drift: number;
  /** Accesses drawn by each vCPU: doubles, since they may pass 2^32. */
  private readonly drawn: Float64Array;
  private readonly multiplier: number;
  private readonly skew: number;
  private readonly writeBelow: number;
  private readonly executeBelow: number;

  constructor(layout: GuestLayout, vcpus: number, shape: AccessShape) {
    this.layout = layout;
    this.pages = Math.max(1, Math.floor((shape.workingSetBytes ?? layout.bytes) / layout.pageBytes));
    this.runs = Math.ceil(this.pages / RUN_PAGES);
    this.windowRuns = Math.min(this.runs, Math.ceil((shape.windowBytes ?? Infinity) / layout.pageBytes / RUN_PAGES));
    this.drift = shape.driftAccesses;
    this.drawn = new Float64Array(vcpus);
    this.multiplier = coprimeTo(this.windowRuns);
    this.skew = shape.skew;
    this.writeBelow = shape.writePercent;
    this.executeBelow = shape.writePercent + shape.executePercent;
  }

  /** Fills `command` with an access of `vcpu`, drawn by `prng`; gives the page of guest memory it goes to. */
  draw(vcpu: number, prng: Prng, command: Command): number {
    const u = prng.next() / TWO_32;
    let rank = u;
    for (let k = 1; k < this.skew; k += 1) rank *= u;
    const start = this.drift === 0 ? 0 : Math.floor(this.drawn[vcpu]! / this.drift);
    this.drawn[vcpu] = this.drawn[vcpu]! + 1;
    const run = (start + ((Math.floor(rank * this.windowRuns) * this.multiplier) % this.windowRuns)) % this.runs;
    const page = Math.min(run * RUN_PAGES + prng.below(RUN_PAGES), this.pages - 1);
    const kind = prng.below(100);
    command.kind = COMMAND.access;
    command.ipa = this.layout.ipaOf(page);
    command.access = kind < this.writeBelow ? ACCESS.write : kind < this.executeBelow ? ACCESS.execute : ACCESS.read;
    return page;
  }
}

/** The largest number below 0.62 n that shares no factor with n: multiplying by it scatters 0…n-1 over 0…n-1. */
function coprimeTo(n: number): number {
  for (let candidate = Math.floor(n * 0.62); candidate > 1; candidate -= 1) if (commonFactor(candidate, n) === 1) return candidate;
  return 1;
}

function commonFactor(a: number, b: number): number {
  return b === 0 ? a : commonFactor(b, a % b);
}
