import type { LogSession } from './log-session.ts';
import { make, panel } from './make-element.ts';

/** Who does what at this event; a click chooses the actor whose steps are followed. */
export class ActorTable {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly figures = make('p', 'muted');
  private readonly body = make('tbody');

  constructor(session: LogSession) {
    this.session = session;
    this.element = panel('Walkers').element;
    const table = make('table');
    table.append(this.body);
    const scroller = make('div', 'scroller');
    scroller.append(table);
    this.element.append(this.figures, scroller);
    session.listen((news) => {
      if (news === 'moment' || news === 'choice') this.show();
    });
  }

  private show(): void {
    const { moment, before } = this.session;
    if (moment === undefined) return;
    const pending = moment.pending.length === 0 ? [] : [`${moment.pending.length} frees pending`];
    this.figures.textContent = [...moment.figures, ...pending].join('; ');
    this.body.replaceChildren(
      ...moment.actors.map(({ actor, name, text }) => {
        const row = make('tr', actor === moment.event.actor ? 'acts' : '');
        const head = make('th');
        const choose = make('button', 'plain', name);
        choose.type = 'button';
        choose.title = `Follow the steps of ${name}`;
        choose.setAttribute('aria-pressed', String(actor === this.session.actor));
        choose.addEventListener('click', () => this.session.chooseActor(actor === this.session.actor ? undefined : actor));
        head.append(choose);
        const was = before?.actors.find((known) => known.actor === actor)?.text;
        row.append(head, make('td', was !== undefined && was !== text ? 'changed' : '', text));
        return row;
      }),
    );
  }
}
