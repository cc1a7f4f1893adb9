import { setImmediate, setTimeout } from 'node:timers/promises';
import type { RunningSurvey } from '@s2lab/seek';
import { LogTimeline } from '@s2lab/seek';
import type { LoggedMachine } from '@s2lab/survey';
import { TimelineError } from '@s2lab/timeline';
import type { LogAbout, LogOracle, Questions } from './answers.ts';
import type { Surveyed } from './log-desk.ts';
import { LogDesk } from './log-desk.ts';

/** Milliseconds between two looks for what a writer has added. */
const LOOK_MS = 400;

/** How a log file is opened for a page. */
export interface LogFileOptions {
  /** Hears, line by line, of damage and of checkpoints that do not fit. */
  readonly tell: (line: string) => void;
  /** Further rules to judge it by, as those of `s2lab verify --profile`. */
  readonly profile?: string | undefined;
  /** Whether a writer still adds to the log; absent = no. */
  readonly growing?: () => boolean;
}

/**
 * A log file behind a page. Where no checkpoints lie beside it, one pass over it goes on in the background, whenever no question is
 * being answered, and what it has found so far is shown.
 */
export class LogFile implements LogOracle {
  private readonly timeline: LogTimeline;
  private readonly desk: LogDesk;
  private readonly growing: () => boolean;
  private running: RunningSurvey | undefined;
  private readonly end = new AbortController();
  private work: Promise<void> = Promise.resolve();

  private constructor(timeline: LogTimeline, growing: () => boolean) {
    this.timeline = timeline;
    this.growing = growing;
    this.desk = new LogDesk(timeline, this.surveyed(), growing);
  }

  /** @throws LogFileError when there is no such log */
  static async open(path: string, { tell, profile, growing = () => false }: LogFileOptions): Promise<LogFile> {
    const timeline = await LogTimeline.open(path, tell);
    const file = new LogFile(timeline, growing);
    const kept = !growing() && profile === undefined;
    const ready = kept && (await timeline.openCheckpoints()) && timeline.record !== undefined;
    if (!ready) {
      file.running = kept ? await timeline.beginSurvey() : timeline.beginSurveyInMemory(profile);
      file.work = file.survey(file.running).catch((error: unknown) => tell(`${path}: ${(error as Error).message}`));
    }
    return file;
  }

  ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']> {
    return this.desk.ask(question, what);
  }

  /** Ends the work in the background and closes the log. */
  async close(): Promise<void> {
    this.end.abort();
    await this.work;
    await this.timeline.close();
  }

  private async survey(running: RunningSurvey): Promise<void> {
    const { signal } = this.end;
    while (!signal.aborted) {
      const more = await running.survey.step();
      while (this.desk.busy > 0) await setTimeout(5);
      await setImmediate();
      if (more) continue;
      const growing = this.growing();
      if (await this.timeline.grow()) continue;
      if (!growing) break;
      await setTimeout(LOOK_MS, undefined, { signal }).catch(() => {}); // only the signal rejects it
    }
    if (signal.aborted && !running.survey.complete) await running.abandon();
    else await running.finish();
  }

  private surveyed(): Surveyed {
    const { timeline } = this;
    const survey = (): RunningSurvey['survey'] => this.running!.survey;
    const kept = (): LogTimeline['record'] => (this.running === undefined ? timeline.record : undefined);
    return {
      get events() {
        return kept()?.verdict.events ?? survey().events;
      },
      get complete() {
        return kept() !== undefined || survey().complete;
      },
      verdict: () => kept()?.verdict ?? survey().verdict(),
      overview: (machine: LoggedMachine) =>
        kept() === undefined
          ? survey().overview(machine)
          : kept()!.overviews.find(({ run, machine: number }) => run === machine.run && number === machine.machine)?.overview,
    };
  }
}

/** A log that a writer adds to. */
export interface GrowingLog {
  readonly path: string;
  /** Whether it still does. */
  readonly growing: () => boolean;
}

/**
 * The newest log of a lab, opened when a question about it is asked: until somebody looks, it costs nothing. When the lab begins another
 * log, that one takes its place; the answer to `about` names it.
 */
export class LogOnDemand implements LogOracle {
  private readonly latest: () => GrowingLog | undefined;
  private opened: { readonly path: string; readonly file: Promise<LogFile> } | undefined;

  /** @param latest undefined while the lab has none */
  constructor(latest: () => GrowingLog | undefined) {
    this.latest = latest;
  }

  async ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']> {
    const file = await this.current();
    const answer = await file.ask(question, what);
    // Another log may come as long as the lab lives: who looks goes on asking.
    if (question === 'about') return { ...(answer as LogAbout), growing: true } as Questions[Q]['answer'];
    return answer;
  }

  /** Closes the log if one was opened. */
  async close(): Promise<void> {
    const file = await this.opened?.file.catch(() => undefined); // who asked was told
    await file?.close();
  }

  private async current(): Promise<LogFile> {
    const latest = this.latest();
    if (latest === undefined) throw new TimelineError('the lab has no log yet');
    if (this.opened?.path !== latest.path) {
      const before = this.close();
      const { path, growing } = latest;
      this.opened = { path, file: before.then(() => LogFile.open(path, { tell: () => {}, growing })) };
    }
    return this.opened.file;
  }
}
