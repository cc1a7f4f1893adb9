import type { FindQuestion, LogAbout, LogOracle, Moment } from '../../../log/answers.ts';
import type { Stage2State } from '@s2lab/stage2-map';
import type { LoggedMachine } from '@s2lab/survey';
import type { Aspect } from './moments-at-hand.ts';
import { MomentsAtHand } from './moments-at-hand.ts';

/** What of a session has changed. */
export type SessionNews = 'about' | 'machine' | 'moment' | 'choice' | 'trouble' | 'playing' | 'replaced';

/** A slot that the reader has chosen. */
export interface ChosenSlot {
  readonly table: number;
  readonly slot: number;
}

/** Milliseconds after which a reader is told what is waited for. */
const PATIENCE_MS = 600;
/** Milliseconds between two looks at a log that is surveyed or that grows. */
const LOOK_MS = 400;

/**
 * A reader in a log: which machine, which event, what is chosen, and the ways to go on. Knows nothing of the screen; tells its listeners
 * what has changed. While an answer is awaited, later wishes replace each other.
 */
export class LogSession {
  about: LogAbout;
  machine: LoggedMachine;
  /** The machine at the event that is shown; undefined until the first answer. */
  moment: Moment | undefined;
  /** Its map. */
  map: Stage2State | undefined;
  /** The moment shown before. */
  before: Moment | undefined;
  slot: ChosenSlot | undefined;
  actor: number | undefined;
  violation: number | undefined;
  /** What cannot be done, and why; empty when all is well. */
  trouble = '';
  /** Events a second while playing; 0 = paused. */
  rate = 0;
  /** The newest event of a growing log is shown. */
  following = false;
  /** Stage-2 on the map, by VMID; undefined = that of the event. */
  vmid: number | undefined;
  readonly open = new Set<number>();
  private readonly oracle: LogOracle;
  private readonly atHand: MomentsAtHand;
  private readonly listeners = new Set<(news: SessionNews) => void>();
  private wanted: number | undefined;
  private range: { readonly from: number; readonly to: number } | undefined;
  private asking = false;
  private searching = 0;
  private clock: ReturnType<typeof setTimeout> | undefined;
  private ended = false;

  private constructor(oracle: LogOracle, about: LogAbout) {
    this.oracle = oracle;
    this.atHand = new MomentsAtHand(oracle);
    this.about = about;
    this.machine = about.machines[0]!;
    if (!about.survey.complete || about.growing) this.lookAgain();
  }

  /** @throws Error with one line when the log holds no events */
  static async begin(oracle: LogOracle): Promise<LogSession> {
    let about = await oracle.ask('about', {});
    while (about.machines.length === 0 && about.growing) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS)); // its writer has only begun
      about = await oracle.ask('about', {});
    }
    if (about.machines.length === 0) throw new Error(`${about.name} holds no events`);
    return new LogSession(oracle, about);
  }

  /** Calls `listener` with whatever changes. */
  listen(listener: (news: SessionNews) => void): void {
    this.listeners.add(listener);
  }

  /** Nothing is asked any more. */
  end(): void {
    this.ended = true;
    this.pause();
    clearTimeout(this.clock);
    this.atHand.end();
    this.listeners.clear();
  }

  /** Event that is shown or on its way. */
  get seq(): number {
    return this.wanted ?? this.moment?.seq ?? 0;
  }

  get last(): number {
    return this.machine.events - 1;
  }

  ask: LogOracle['ask'] = (question, what) => this.oracle.ask(question, what);

  /** Which machine, for a question. */
  get which(): { readonly machine: number; readonly run: string } {
    return { machine: this.machine.machine, run: this.machine.run };
  }

  /** Turns to another machine of the log. */
  choose(machine: LoggedMachine): void {
    if (machine.run === this.machine.run && machine.machine === this.machine.machine) return;
    this.machine = machine;
    this.moment = this.before = undefined;
    this.map = undefined;
    this.slot = this.actor = undefined;
    this.range = undefined;
    this.vmid = undefined;
    this.open.clear();
    this.tell('machine');
  }

  /** Goes to an event; beyond the ends, to the nearest. */
  goTo(seq: number): void {
    this.searching += 1;
    this.wanted = Math.max(0, Math.min(seq, this.last));
    if (this.wanted !== this.last) this.following = false;
    void this.fetch();
  }

  /** Shows the moment anew: other tables are open, or another part of the map is looked at. */
  refresh(range: { readonly from: number; readonly to: number } | undefined = this.range): void {
    this.range = range;
    this.wanted ??= this.moment?.seq;
    void this.fetch();
  }

  /** One event on, or back; with an actor chosen for it, to that actor's next event. */
  step(by: number): void {
    this.pause();
    this.goTo(this.seq + by);
  }

  /** To the next event, or the last before, that is so. */
  async find(what: Omit<FindQuestion, 'from' | 'machine' | 'run' | 'backwards'>, backwards: boolean, words: string): Promise<void> {
    this.pause();
    const search = (this.searching += 1);
    const step = backwards ? -1 : 1;
    let from: number | null = this.seq + step;
    while (from !== null && from >= 0 && from <= this.last) {
      const { seq, goOn }: { seq: number | null; goOn: number | null } = await this.oracle.ask('find', {
        ...this.which,
        ...what,
        from,
        backwards,
      });
      if (search !== this.searching || this.ended) return;
      if (seq !== null) {
        this.goTo(seq);
        return;
      }
      from = goOn;
      if (from !== null) this.complain(`looking for ${words}: at event ${from.toLocaleString('en')} …`);
    }
    this.complain(`there is no ${words} ${backwards ? 'before' : 'after'} event ${this.seq.toLocaleString('en')}`);
  }

  /** Says what cannot be done. */
  complain(trouble: string): void {
    this.trouble = trouble;
    this.tell('trouble');
  }

  /** To the next violation of any machine in the list that is kept, or the one before. */
  stepViolation(by: number): void {
    const { violations } = this.about;
    if (violations.length === 0) {
      this.complain(this.about.survey.complete ? 'the log has no violation' : 'no violation found so far; the log is still being surveyed');
      return;
    }
    const next = this.violation === undefined ? this.nearestViolation(by) : this.violation + by;
    this.showViolation(Math.max(0, Math.min(violations.length - 1, next)));
  }

  /** Chooses a violation and goes to its event. */
  showViolation(index: number): void {
    const violation = this.about.violations[index];
    if (violation === undefined) return;
    const machine = this.about.machines.find(({ run, machine: number }) => run === violation.run && number === violation.machine);
    if (machine !== undefined) this.choose(machine);
    this.violation = index;
    this.pause();
    this.tell('choice');
    this.goTo(violation.seq);
  }

  /** Chooses a slot, or none. */
  chooseSlot(slot: ChosenSlot | undefined): void {
    this.slot = slot;
    this.tell('choice');
  }

  /** Chooses the actor whose steps are followed, or none. */
  chooseActor(actor: number | undefined): void {
    this.actor = actor;
    this.tell('choice');
  }

  /** Chooses a violation without going there. */
  chooseViolation(index: number | undefined): void {
    this.violation = index;
    this.tell('choice');
  }

  /** Goes on by itself, so many events a second; backwards when negative. */
  play(rate: number): void {
    this.rate = rate;
    this.tell('playing');
    let due = 0;
    let then = performance.now();
    const beat = (now: number): void => {
      if (this.rate !== rate || this.ended) return;
      if (!this.asking) {
        due += (rate * (now - then)) / 1000;
        then = now;
        const whole = Math.trunc(due);
        due -= whole;
        if (whole !== 0) this.goTo(this.seq + whole);
        if (this.seq === (rate > 0 ? this.last : 0)) this.pause();
      }
      requestAnimationFrame(beat);
    };
    requestAnimationFrame(beat);
  }

  pause(): void {
    if (this.rate === 0) return;
    this.rate = 0;
    this.tell('playing');
  }

  /** Stays at the newest event of a log that grows. */
  follow(following: boolean): void {
    this.following = following;
    if (following) this.goTo(this.last);
    this.tell('playing');
  }

  private nearestViolation(by: number): number {
    const { violations } = this.about;
    const here = (index: number): boolean =>
      violations[index]!.machine === this.machine.machine && violations[index]!.run === this.machine.run;
    const indices = [...violations.keys()].filter(here);
    const found = by > 0 ? indices.find((i) => violations[i]!.seq >= this.seq) : indices.findLast((i) => violations[i]!.seq <= this.seq);
    return found ?? indices.at(by > 0 ? 0 : -1) ?? 0;
  }

  /** What is at hand is shown at once, without giving up the turn: a key is answered by the picture. */
  private async fetch(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.wanted !== undefined && !this.ended) {
        const seq = this.wanted;
        const { machine } = this;
        const aspect = this.aspect();
        try {
          const { moment, map } = this.atHand.known(aspect, seq) ?? (await this.patiently(this.atHand.fetch(aspect, seq), seq));
          if (machine.machine !== this.machine.machine || machine.run !== this.machine.run) continue;
          const by = this.moment === undefined ? 0 : seq - this.moment.seq;
          if (by !== 0) this.before = this.moment;
          this.moment = moment;
          this.map = map;
          this.trouble = '';
          if (this.wanted === seq) this.wanted = undefined;
          this.tell('moment');
          if (!this.following) this.atHand.bringNext(aspect, seq, by, this.last);
        } catch (error) {
          this.wanted = undefined;
          this.pause();
          this.complain((error as Error).message);
        }
      }
    } finally {
      this.asking = false;
    }
  }

  /** Tells a reader what is waited for when it takes a while. */
  private async patiently<T>(answer: Promise<T>, seq: number): Promise<T> {
    const patience = setTimeout(() => this.complain(`going to event ${seq.toLocaleString('en')} …`), PATIENCE_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(patience);
    }
  }

  private aspect(): Aspect {
    return { ...this.which, ...this.range, vmid: this.vmid, open: [...this.open] };
  }

  private lookAgain(): void {
    this.clock = setTimeout(() => void this.look(), LOOK_MS);
  }

  private async look(): Promise<void> {
    if (this.ended) return;
    try {
      const about = await this.oracle.ask('about', {});
      if (about.name !== this.about.name) {
        this.tell('replaced'); // the lab has begun another log
        return;
      }
      this.about = about;
      this.machine =
        this.about.machines.find(({ run, machine }) => run === this.machine.run && machine === this.machine.machine) ?? this.machine;
      this.tell('about');
      if (this.following && this.seq < this.last) this.goTo(this.last);
    } catch (error) {
      this.complain((error as Error).message);
    }
    if (!this.about.survey.complete || this.about.growing) this.lookAgain();
  }

  private tell(news: SessionNews): void {
    for (const listener of this.listeners) listener(news);
  }
}
