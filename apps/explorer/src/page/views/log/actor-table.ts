import type { LogSession } from './log-session.ts';
import { keepHeight, make, panel, setAttribute, setClass, setText } from './make-element.ts';

interface ActorRow {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly text: HTMLElement;
}

/** Who does what at this event; a click chooses the actor whose steps are followed. */
export class ActorTable {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly figures = make('p', 'muted');
  private readonly body = make('tbody');
  private rows: ActorRow[] = [];

  constructor(session: LogSession) {
    this.session = session;
    this.element = panel('Walkers', 'walkers').element;
    const table = make('table');
    table.append(this.body);
    const scroller = make('div', 'scroller');
    scroller.append(table);
    keepHeight(scroller, table);
    this.element.append(this.figures, scroller);
    session.listen((news) => {
      if (news === 'machine') this.clear();
      if (news === 'moment' || news === 'choice') this.show();
    });
  }

  private clear(): void {
    this.rows = [];
    this.body.replaceChildren();
  }

  private show(): void {
    const { moment, before } = this.session;
    if (moment === undefined) return;
    const pending = moment.pending.length === 0 ? [] : [`${moment.pending.length} frees pending`];
    setText(this.figures, [...moment.figures, ...pending].join('; '));
    for (const { actor, name, text } of moment.actors) {
      const row = this.rows[actor] ?? this.addRow(actor, name);
      const was = before?.actors.find((known) => known.actor === actor)?.text;
      setClass(row.element, actor === moment.event.actor ? 'acts' : '');
      setAttribute(row.name, 'aria-pressed', String(actor === this.session.actor));
      setClass(row.text, was !== undefined && was !== text ? 'changed' : '');
      setText(row.text, text);
    }
  }

  private addRow(actor: number, name: string): ActorRow {
    const element = make('tr');
    const head = make('th');
    const choose = make('button', 'plain', name);
    choose.type = 'button';
    choose.title = `Follow the steps of ${name}`;
    choose.addEventListener('click', () => this.session.chooseActor(actor === this.session.actor ? undefined : actor));
    head.append(choose);
    const text = make('td');
    element.append(head, text);
    this.body.append(element);
    const row = { element, name: choose, text };
    this.rows[actor] = row;
    return row;
  }
}
