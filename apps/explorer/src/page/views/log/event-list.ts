import type { EventWindow } from '../../../log/answers.ts';
import { KIND_GROUPS, kindGroup } from './kind-groups.ts';
import type { Lanes } from './lanes.ts';
import type { LogSession } from './log-session.ts';
import { make, panel, setClass } from './make-element.ts';

/** Events listed before and after the one at which the list was turned to them. */
const AROUND = 11;
/** Events kept in sight before and after the one that is shown, until which the list stands still. */
const SEEN = 3;

/** The events around the reader, in words. */
export class EventList {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly list = make('ol', 'events');
  private window: EventWindow | undefined;
  private middle = -1;
  /** The rows that are shown, by event. */
  private readonly rows = new Map<number, HTMLElement>();

  constructor(session: LogSession, lanes: Lanes) {
    this.session = session;
    this.element = panel('Events').element;
    this.element.append(this.list);
    lanes.listen((window) => {
      this.window = window;
      this.show();
    });
    session.listen((news) => {
      if (news === 'machine') this.clear();
      if (news === 'moment' || news === 'choice') this.show();
    });
  }

  private clear(): void {
    this.window = undefined;
    this.middle = -1;
    this.rows.clear();
    this.list.replaceChildren();
  }

  private show(): void {
    const { window, session } = this;
    if (window === undefined) return;
    const { seq } = session;
    if (this.middle < 0 || Math.abs(seq - this.middle) > AROUND - SEEN) this.middle = seq;
    const first = Math.max(window.from, this.middle - AROUND);
    const end = Math.min(window.from + window.kind.length, this.middle + AROUND + 1);
    for (const [at, row] of this.rows) {
      if (at >= first && at < end) continue;
      row.remove();
      this.rows.delete(at);
    }
    let after: HTMLElement | null = null;
    for (let at = first; at < end; at += 1) {
      let row = this.rows.get(at);
      if (row === undefined) {
        row = this.row(window, at);
        this.rows.set(at, row);
        if (after === null) this.list.prepend(row);
        else after.after(row);
      }
      const actor = window.actor[at - window.from];
      setClass(row, at === seq ? 'here' : actor === session.actor ? 'same' : '');
      after = row;
    }
  }

  private row(window: EventWindow, seq: number): HTMLElement {
    const i = seq - window.from;
    const actor = window.actor[i]!;
    const row = make('li');
    const go = make('button', 'plain');
    go.type = 'button';
    const swatch = make('i', 'swatch');
    swatch.style.background = `var(${KIND_GROUPS[kindGroup(window.kind[i]!)]!.colour})`;
    go.append(
      swatch,
      make('code', '', seq.toLocaleString('en')),
      make('span', 'muted', window.actors[actor] ?? `actor ${actor}`),
      window.text[i]!,
    );
    go.addEventListener('click', () => this.session.goTo(seq));
    row.append(go);
    return row;
  }
}
