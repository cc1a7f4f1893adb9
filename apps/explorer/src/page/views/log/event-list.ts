import type { EventWindow } from '../../../log/answers.ts';
import { KIND_GROUPS, kindGroup } from './kind-groups.ts';
import type { Lanes } from './lanes.ts';
import type { LogSession } from './log-session.ts';
import { make, panel } from './make-element.ts';

/** Events listed before and after the one that is shown. */
const AROUND = 11;

/** The events around the reader, in words. */
export class EventList {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly list = make('ol', 'events');
  private window: EventWindow | undefined;

  constructor(session: LogSession, lanes: Lanes) {
    this.session = session;
    this.element = panel('Events').element;
    this.element.append(this.list);
    lanes.listen((window) => {
      this.window = window;
      this.show();
    });
    session.listen((news) => {
      if (news === 'machine') this.window = undefined;
      if (news === 'moment' || news === 'choice') this.show();
    });
  }

  private show(): void {
    const { window, session } = this;
    if (window === undefined) return;
    const { seq } = session;
    const first = Math.max(window.from, seq - AROUND);
    const end = Math.min(window.from + window.kind.length, seq + AROUND + 1);
    const rows: HTMLElement[] = [];
    for (let at = first; at < end; at += 1) rows.push(this.row(window, at));
    this.list.replaceChildren(...rows);
  }

  private row(window: EventWindow, seq: number): HTMLElement {
    const i = seq - window.from;
    const actor = window.actor[i]!;
    const row = make('li', seq === this.session.seq ? 'here' : actor === this.session.actor ? 'same' : '');
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
