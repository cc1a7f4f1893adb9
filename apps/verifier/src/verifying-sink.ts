import type { EventSink, Frame } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import type { News } from './violation-news.ts';
import { ViolationNews } from './violation-news.ts';

/** A sink that checks the frames as they come: the verifier inside another program. */
export class VerifyingSink implements EventSink {
  private readonly verifier = new Verifier();
  private readonly news = new ViolationNews(this.verifier);
  private readonly onViolations: (news: News, frame: Frame) => void;
  private found = 0;
  private folded = 0;

  /** @param onViolations hears what a frame brought to light, if anything */
  constructor(onViolations: (news: News, frame: Frame) => void = () => {}) {
    this.onViolations = onViolations;
  }

  /** Events checked so far. */
  get events(): number {
    return this.folded;
  }

  /** Violations found so far. */
  get violations(): number {
    return this.found;
  }

  async write(frame: Frame): Promise<void> {
    this.verifier.fold(frame);
    this.folded += frame.rows.length;
    const news = this.news.take();
    for (const count of news.counts.values()) this.found += count;
    if (news.counts.size > 0) this.onViolations(news, frame);
  }

  /** The verdict on what was checked so far. */
  verdict(): Verdict {
    return this.verifier.finish();
  }

  async close(): Promise<void> {}
}
