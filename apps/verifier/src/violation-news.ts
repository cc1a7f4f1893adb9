import type { Verifier, Violation } from '@s2lab/invariants';

/** What a verifier found since it was last asked. */
export interface News {
  /** Violations that it kept with their proofs: the first of a machine, not all. */
  readonly kept: readonly Violation[];
  /** All violations, by invariant. */
  readonly counts: ReadonlyMap<string, number>;
}

/** How far a verifier’s findings have been told. */
export interface ToldNews {
  readonly total: number;
  readonly kept: number;
  readonly counted: readonly (readonly [string, number])[];
}

const NONE: News = { kept: [], counts: new Map() };

/** Tells what is new in a verifier’s findings; costs next to nothing while there is nothing new. */
export class ViolationNews {
  private readonly verifier: Verifier;
  private total = 0;
  private kept = 0;
  private readonly counted = new Map<string, number>();

  constructor(verifier: Verifier) {
    this.verifier = verifier;
  }

  /** What was told already, for a checkpoint. */
  told(): ToldNews {
    return { total: this.total, kept: this.kept, counted: [...this.counted] };
  }

  /** Goes on after what was told. */
  resume({ total, kept, counted }: ToldNews): void {
    this.total = total;
    this.kept = kept;
    for (const [invariant, count] of counted) this.counted.set(invariant, count);
  }

  /** What was found since the last call. */
  take(): News {
    const { violations: total } = this.verifier.progress();
    if (total === this.total) return NONE;
    this.total = total;
    const counts = new Map<string, number>();
    for (const [invariant, count] of this.verifier.counts()) {
      const more = count - (this.counted.get(invariant) ?? 0);
      if (more > 0) counts.set(invariant, more);
      this.counted.set(invariant, count);
    }
    const { violations } = this.verifier.finish();
    const kept = violations.slice(this.kept);
    this.kept = violations.length;
    return { kept, counts };
  }
}
