import { duration } from '../../numbers.ts';
import { COMMANDS, DEFAULT_RATE, stepActor } from './commands.ts';
import type { LogSession } from './log-session.ts';
import { button, make, setAttribute, setText } from './make-element.ts';

/** Events a second to choose from. */
const RATES = [2, 5, 20, 100, 1000, 10_000, 100_000];

/** The bar of the log: which machine, where, play and step, search, help. */
export class Controls {
  readonly element = make('div', 'toolbar log-controls');
  private readonly session: LogSession;
  private readonly machines = make('select');
  private readonly position = make('input');
  private readonly search = make('input');
  private readonly rate = make('select');
  private readonly playing: HTMLButtonElement;
  private readonly following: HTMLButtonElement;
  private readonly trouble = make('p', 'note trouble');
  private readonly help: HTMLDialogElement;

  constructor(session: LogSession) {
    this.session = session;
    this.playing = button('play', 'Play (Space)', () => (session.rate === 0 ? session.play(Number(this.rate.value)) : session.pause()));
    this.following = button('follow', 'Stay at the newest event (f)', () => session.follow(!session.following));
    this.help = helpDialog();
    this.fillMachines();
    this.fillRates();
    this.fillInputs();
    this.trouble.setAttribute('role', 'alert');
    const steps = make('div', 'group');
    steps.append(
      button('|◀', 'First event (Home)', () => session.step(-Infinity)),
      button('◀', 'Event before (←)', () => session.step(-1)),
      this.playing,
      button('▶', 'Next event (→)', () => session.step(1)),
      button('▶|', 'Last event (End)', () => session.step(Infinity)),
      this.rate,
    );
    const jumps = make('div', 'group');
    jumps.append(
      button('◂ walker', 'Step of the same walker before (,)', () => stepActor(session, true)),
      button('walker ▸', 'Next step of the same walker (.)', () => stepActor(session, false)),
      button('◂ violation', 'Violation before (Shift+N)', () => session.stepViolation(-1)),
      button('violation ▸', 'Next violation (n)', () => session.stepViolation(1)),
      this.following,
    );
    this.element.append(
      this.machines,
      steps,
      labelled('event', this.position),
      jumps,
      labelled('find', this.search),
      button('?', 'Help: keys', () => this.help.showModal()),
      this.trouble,
      this.help,
    );
    session.listen(() => this.show());
    this.show();
  }

  /** Does what a key says. @returns whether it says anything */
  press(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.altKey || event.metaKey || this.help.open) return false;
    if (event.key === '?') this.help.showModal();
    else if (event.key === '/') this.search.focus();
    else if (event.key === 'g') this.position.select();
    else {
      const command = COMMANDS.find(({ key }) => key === event.key);
      if (command === undefined) return false;
      command.run(this.session);
    }
    return true;
  }

  private show(): void {
    const { session } = this;
    if (document.activeElement !== this.position) this.position.value = String(session.seq);
    setAttribute(this.position, 'max', String(session.last));
    setText(this.playing, session.rate === 0 ? 'play' : 'pause');
    setAttribute(this.playing, 'title', session.rate === 0 ? 'Play (Space)' : 'Pause (Space)');
    this.following.hidden = !session.about.growing;
    setAttribute(this.following, 'aria-pressed', String(session.following));
    setText(this.trouble, session.trouble);
    const names = session.about.machines.map(({ machine, run }) => `${run}/${machine}`).join(' ');
    if (this.machines.dataset['names'] !== names) this.fillMachines();
    this.machines.value = String(
      session.about.machines.findIndex(({ run, machine }) => run === session.machine.run && machine === session.machine.machine),
    );
  }

  private fillMachines(): void {
    const { machines } = this.session.about;
    const runs = new Set(machines.map(({ run }) => run)).size;
    this.machines.dataset['names'] = machines.map(({ machine, run }) => `${run}/${machine}`).join(' ');
    this.machines.setAttribute('aria-label', 'Machine');
    this.machines.replaceChildren(
      ...machines.map(({ machine, run, policy, machineKind }, i) => {
        const option = make('option', '', `machine #${machine}, ${machineKind} ${policy}${runs > 1 ? `, ${run}` : ''}`);
        option.value = String(i);
        return option;
      }),
    );
    this.machines.onchange = () => {
      const { session } = this;
      const at = session.moment?.seq ?? 0;
      session.choose(session.about.machines[Number(this.machines.value)]!);
      session.goTo(Math.min(at, session.last));
    };
  }

  private fillRates(): void {
    this.rate.setAttribute('aria-label', 'Speed');
    this.rate.append(
      ...RATES.map((rate) => {
        const option = make('option', '', `${rate.toLocaleString('en')}/s`);
        option.value = String(rate);
        option.selected = rate === DEFAULT_RATE;
        return option;
      }),
    );
    this.rate.addEventListener('change', () => {
      if (this.session.rate !== 0) this.session.play(Number(this.rate.value));
    });
  }

  private fillInputs(): void {
    this.position.type = 'number';
    this.position.min = '0';
    this.position.addEventListener('change', () => this.session.goTo(Number(this.position.value)));
    for (const input of [this.position, this.search])
      input.addEventListener('keydown', (event) => {
        const done = event.key === 'Escape' || (event.key === 'Enter' && input === this.position);
        if (done) input.blur(); // keys go to the page again
      });
    this.search.type = 'search';
    this.search.placeholder = 'kind=table-freed table=7';
    this.search.title = 'Next event for which all of this holds, such as kind=table-freed table=7; Shift+Enter looks backwards';
    this.search.addEventListener('keydown', (event) => {
      const where = this.search.value.trim();
      if (event.key !== 'Enter' || where === '') return;
      this.session
        .find({ where }, event.shiftKey, `event with ${where}`)
        .catch((error: unknown) => this.session.complain((error as Error).message));
    });
  }
}

function labelled(text: string, input: HTMLInputElement): HTMLLabelElement {
  const label = make('label', 'field');
  label.append(make('span', 'muted', text), input);
  return label;
}

function helpDialog(): HTMLDialogElement {
  const dialog = make('dialog', 'help');
  const table = make('table');
  const keys = [
    ...COMMANDS,
    { shown: 'g', help: 'go to an event by its number' },
    { shown: '/', help: 'find an event: kind=…, actor=…, table=… (Shift+Enter backwards)' },
    { shown: '?', help: 'this help' },
  ];
  for (const { shown, help } of keys) {
    const row = make('tr');
    const key = make('th');
    key.append(make('kbd', '', shown));
    row.append(key, make('td', '', help));
    table.append(row);
  }
  const note = make(
    'p',
    'muted',
    'The address of the page is a link to what is shown. Click: goes there, or chooses. Wheel: zooms time line, map and lanes; drag: moves the map. ' +
      'Tab leads to the map: + and - zoom it, Shift with ← and → moves it, 0 shows all of it. Escape leaves a field.',
  );
  const form = make('form');
  form.method = 'dialog';
  form.append(make('button', '', 'close'));
  dialog.append(make('h2', '', 'Keys'), table, note, form);
  return dialog;
}

/** The facts of a log for the bar at the top. */
export function factsOf(session: LogSession): readonly (readonly [name: string, value: string, title: string])[] {
  const { about, machine, moment } = session;
  const events = about.machines.reduce((sum, one) => sum + one.events, 0);
  const { survey } = about;
  return [
    ['log', about.name.split('/').at(-1)!, about.name],
    ['workload', machine.workload || '–', machine.run],
    ['machines', String(about.machines.length), ''],
    ['events', events.toLocaleString('en'), `${about.bytes.toLocaleString('en')} bytes`],
    [
      'surveyed',
      survey.complete ? 'all' : `${Math.floor((100 * survey.events) / Math.max(1, survey.of))} %`,
      'verified, and on the time line',
    ],
    ['virtual time', moment === undefined ? '–' : duration(moment.event.at), 'of the event that is shown'],
  ];
}
