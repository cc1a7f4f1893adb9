import type { Frame } from '@s2lab/events';
import { K, SequenceGuard } from '@s2lab/events';
import type { Verdict, Violation } from '@s2lab/invariants';
import type { VerifierSnapshot } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import type { News, ToldNews } from './violation-news.ts';
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

/** How the machines of a topic, or of one partition of it, stand. */
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

/** Machines that stopped whose events are still known when they come again. */
const STOPPED_KNOWN = 4096;

/** What a judge needs to go on: plain data, for a checkpoint. */
export interface JudgeSnapshot {
  readonly positions: readonly (readonly [string, number])[];
  readonly running: readonly (readonly [string, VerifierSnapshot, ToldNews])[];
  readonly unjudged: readonly string[];
  readonly gone: readonly string[];
  readonly stopped: number;
  readonly events: number;
  readonly counts: readonly (readonly [string, number])[];
  readonly latest: readonly Violation[];
  readonly byPolicy: readonly PolicyCount[];
}

/** Violations of one invariant by machines of one policy. */
export interface PolicyCount {
  readonly invariant: string;
  readonly policy: string;
  count: number;
}

const NO_NEWS: News = { kept: [], counts: new Map() };

/**
 * Judges the machines of an endless topic. Each has its own verifier, which is let go when the machine stops, so that memory follows the
 * machines that run and not the runs that were.
 */
export class TopicJudge {
  private readonly guard = new SequenceGuard();
  private readonly running = new Map<string, { readonly verifier: Verifier; readonly news: ViolationNews }>();
  private readonly unjudged = new Set<string>();
  /** Machines that stopped, oldest first: those that are remembered only so that their events are known again. */
  private readonly gone: string[] = [];
  private stopped = 0;
  private events = 0;
  private readonly counts = new Map<string, number>();
  private readonly latest: Violation[] = [];
  private readonly policies: PolicyCount[] = [];

  /** Machines that are being judged, by `run/machine`. */
  keys(): Iterable<string> {
    return this.running.keys();
  }

  /** All that judging the rest of the topic needs. */
  snapshot(): JudgeSnapshot {
    return {
      positions: [...this.guard.positions()],
      running: [...this.running].map(([key, { verifier, news }]) => [key, verifier.snapshot(), news.told()]),
      unjudged: [...this.unjudged],
      gone: [...this.gone],
      stopped: this.stopped,
      events: this.events,
      counts: [...this.counts],
      latest: [...this.latest],
      byPolicy: this.byPolicy(),
    };
  }

  /** Violations so far, by invariant and policy. */
  byPolicy(): readonly PolicyCount[] {
    return this.policies.map((each) => ({ ...each }));
  }

  /** A judge that goes on where `snapshot` was taken. @throws RangeError when this program cannot take it up */
  static resume(snapshot: JudgeSnapshot): TopicJudge {
    const judge = new TopicJudge();
    judge.guard.restore(snapshot.positions);
    for (const [key, kept, told] of snapshot.running) {
      const verifier = Verifier.resume(kept);
      const news = new ViolationNews(verifier);
      news.resume(told);
      judge.running.set(key, { verifier, news });
    }
    for (const key of snapshot.unjudged) judge.unjudged.add(key);
    judge.gone.push(...snapshot.gone);
    judge.stopped = snapshot.stopped;
    judge.events = snapshot.events;
    for (const [id, count] of snapshot.counts) judge.counts.set(id, count);
    judge.latest.push(...snapshot.latest);
    judge.policies.push(...snapshot.byPolicy);
    return judge;
  }

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
    this.keep(news, frame.origin.policy);
    if (frame.rows.kind[frame.rows.length - 1] === K.machineStopped) {
      this.running.delete(key);
      this.stopped += 1;
      this.gone.push(key);
      if (this.gone.length > STOPPED_KNOWN) this.guard.forget(this.gone.shift()!);
    }
    return news;
  }

  private keep({ kept, counts }: News, policy: string): void {
    for (const [invariant, count] of counts) {
      this.counts.set(invariant, (this.counts.get(invariant) ?? 0) + count);
      const known = this.policies.find((each) => each.invariant === invariant && each.policy === policy);
      if (known === undefined) this.policies.push({ invariant, policy, count });
      else known.count += count;
    }
    this.latest.push(...kept);
    this.latest.splice(0, Math.max(0, this.latest.length - LATEST));
  }
}
