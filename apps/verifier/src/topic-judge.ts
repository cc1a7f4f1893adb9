import type { Frame } from '@s2lab/events';
import { K, SequenceGuard } from '@s2lab/events';
import type { Verdict, Violation } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import type { News } from './violation-news.ts';
import { ViolationNews } from './violation-news.ts';

/** What a frame led to. */
export interface Judgement {
  /** The frame without rows that were seen before; undefined when nothing new was in it. */
  readonly fresh: Frame | undefined;
  readonly duplicates: number;
  /** Events are missing before the frame. */
  readonly gap: boolean;
  /** The machine’s beginning was not read, and this is its first frame: it will not be judged. */
  readonly unjudged: boolean;
  readonly violations: News;
}

/** How the machines of a topic stand: the shape of /api/verdict. */
export interface TopicVerdict {
  readonly verdict: Verdict['verdict'];
  readonly events: number;
  readonly violations: Readonly<Record<string, number>>;
  readonly machines: { readonly running: number; readonly stopped: number; readonly unjudged: number };
  /** The newest violations, oldest first. */
  readonly latest: readonly Violation[];
}

/** Violations listed in the verdict. */
const LATEST = 50;

const NO_NEWS: News = { kept: [], counts: new Map() };

/**
 * Judges the machines of an endless topic. Each has its own verifier, which is let go when the machine stops, so that memory follows the
 * machines that run and not the runs that were.
 */
export class TopicJudge {
  private readonly guard = new SequenceGuard();
  private readonly running = new Map<string, { readonly verifier: Verifier; readonly news: ViolationNews }>();
  private readonly unjudged = new Set<string>();
  private stopped = 0;
  private events = 0;
  private readonly counts = new Map<string, number>();
  private readonly latest: Violation[] = [];

  /** Judges one frame. Frames of a machine come in order, possibly more than once. */
  judge(frame: Frame): Judgement {
    const key = `${frame.origin.run}/${frame.origin.machine}`;
    const known = this.guard.positions().has(key);
    const { frame: fresh, duplicates, gap } = this.guard.admit(frame);
    const late = !known && frame.firstSeq > 0;
    if (late) this.unjudged.add(key);
    const missing = gap !== undefined && !late;
    if (fresh === undefined || this.unjudged.has(key)) return { fresh, duplicates, gap: missing, unjudged: late, violations: NO_NEWS };
    const violations = this.fold(key, fresh);
    return { fresh, duplicates, gap: missing, unjudged: false, violations };
  }

  /** How all machines stand. */
  verdict(): TopicVerdict {
    return {
      verdict: this.counts.size > 0 ? 'violated' : 'holds',
      events: this.events,
      violations: Object.fromEntries(this.counts),
      machines: { running: this.running.size, stopped: this.stopped, unjudged: this.unjudged.size },
      latest: [...this.latest],
    };
  }

  private fold(key: string, frame: Frame): News {
    let judged = this.running.get(key);
    if (judged === undefined) {
      const verifier = new Verifier();
      judged = { verifier, news: new ViolationNews(verifier) };
      this.running.set(key, judged);
    }
    judged.verifier.fold(frame);
    this.events += frame.rows.length;
    const news = judged.news.take();
    this.keep(news);
    if (frame.rows.kind[frame.rows.length - 1] === K.machineStopped) {
      this.running.delete(key);
      this.stopped += 1;
    }
    return news;
  }

  private keep({ kept, counts }: News): void {
    for (const [invariant, count] of counts) this.counts.set(invariant, (this.counts.get(invariant) ?? 0) + count);
    this.latest.push(...kept);
    this.latest.splice(0, Math.max(0, this.latest.length - LATEST));
  }
}
