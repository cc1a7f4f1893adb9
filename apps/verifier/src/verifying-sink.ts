import type { EventSink, Frame } from '@s2lab/events';
import type { Verdict, Violation } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';

/** A sink that checks the frames as they come: the verifier inside another program. */
export class VerifyingSink implements EventSink {
  private readonly verifier: Verifier;
  private readonly onViolation: (violation: Violation, frame: Frame) => void;
  private found = 0;
  private folded = 0;

  /** @param onViolation hears of each violation that is kept, once, when it is found */
  constructor(onViolation: (violation: Violation, frame: Frame) => void = () => {}) {
    this.verifier = new Verifier();
    this.onViolation = onViolation;
  }

  /** Events checked so far. */
  get events(): number {
    return this.folded;
  }

  async write(frame: Frame): Promise<void> {
    this.verifier.fold(frame);
    this.folded += frame.rows.length;
    if (this.verifier.progress().violations === this.found) return;
    this.found = this.verifier.progress().violations;
    this.tellNew(frame);
  }

  /** The verdict on what was checked so far. */
  verdict(): Verdict {
    return this.verifier.finish();
  }

  async close(): Promise<void> {}

  private told = 0;

  private tellNew(frame: Frame): void {
    const { violations } = this.verifier.finish();
    for (; this.told < violations.length; this.told += 1) this.onViolation(violations[this.told]!, frame);
  }
}
