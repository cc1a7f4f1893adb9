import type { Violation } from '@s2lab/invariants';
import type { LogSession } from './log-session.ts';
import { button, make, panel, setClass, setText } from './make-element.ts';

/** Violations listed; the others are reached by going from one to the next. */
const LISTED = 50;

/** The violations of the log; of the chosen one the proof, to be walked through event by event. */
export class ViolationPanel {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly heading: HTMLElement;
  private readonly body = make('div');
  /** What the panel depends on, when it was made. */
  private says = '';
  /** The events of the proof that is looked at. */
  private witness: { readonly seq: number; readonly item: HTMLElement }[] = [];

  constructor(session: LogSession) {
    this.session = session;
    const { element, heading } = panel('Violations', 'proofs');
    this.element = element;
    this.heading = heading;
    element.append(this.body);
    session.listen((news) => {
      if (news === 'about' || news === 'choice') this.show();
      if (news === 'moment') this.showPlace();
    });
    this.show();
  }

  private show(): void {
    const { session } = this;
    const { violations, verdict, survey } = session.about;
    const found = Object.values(verdict.counts).reduce((sum, n) => sum + n, 0);
    const says = JSON.stringify([session.violation ?? null, found, violations.length, survey.complete]);
    if (says === this.says) return; // a list that is made anew under a pointer is not clicked
    this.says = says;
    setText(this.heading, `Violations: ${found.toLocaleString('en')}${survey.complete ? '' : ' so far'}`);
    this.witness = [];
    const chosen = session.violation === undefined ? undefined : violations[session.violation];
    if (chosen !== undefined) this.body.replaceChildren(this.proof(chosen, session.violation!));
    else if (violations.length === 0)
      this.body.replaceChildren(make('p', 'empty', survey.complete ? 'All invariants hold.' : 'None so far; the log is still being read.'));
    else this.body.replaceChildren(this.list(violations, found));
    this.showPlace();
  }

  /** Marks the event of the proof at which the reader stands. */
  private showPlace(): void {
    for (const { seq, item } of this.witness) setClass(item, seq === this.session.seq ? 'here' : '');
  }

  private list(violations: readonly Violation[], found: number): HTMLElement {
    const list = make('ul', 'violations');
    violations.slice(0, LISTED).forEach((violation, index) => {
      const item = make('li');
      const go = make('button', 'plain');
      go.type = 'button';
      go.append(
        make('b', '', violation.invariant),
        make('span', 'where', `machine #${violation.machine}, event ${violation.seq.toLocaleString('en')}`),
        make('p', '', violation.because),
      );
      go.addEventListener('click', () => this.session.showViolation(index));
      item.append(go);
      list.append(item);
    });
    if (found > LISTED) list.append(make('p', 'muted', `${(found - LISTED).toLocaleString('en')} more; n goes from one to the next`));
    return list;
  }

  private proof(violation: Violation, index: number): HTMLElement {
    const { session } = this;
    const element = make('div', 'proof');
    const bar = make('p', 'bar-line');
    bar.append(
      make('b', 'bad', violation.invariant),
      make('span', 'where', `${index + 1} of ${session.about.violations.length}, machine #${violation.machine}`),
      button('◂', 'Event of the proof before ([)', () => stepWitness(session, -1)),
      button('▸', 'Next event of the proof (])', () => stepWitness(session, 1)),
      button('all', 'List all violations', () => session.chooseViolation(undefined)),
    );
    element.append(bar, make('p', '', violation.because));
    const list = make('ol', 'witness');
    for (const { seq, text } of violation.witness) {
      const item = make('li');
      this.witness.push({ seq, item });
      const go = make('button', 'plain', text);
      go.type = 'button';
      go.disabled = seq < 0;
      go.prepend(make('code', '', seq < 0 ? '–' : seq.toLocaleString('en')));
      go.addEventListener('click', () => session.goTo(seq));
      item.append(go);
      list.append(item);
    }
    element.append(list);
    return element;
  }
}

/** To the next or last event of the proof that is looked at. */
export function stepWitness(session: LogSession, by: number): void {
  const violation = session.violation === undefined ? undefined : session.about.violations[session.violation];
  if (violation === undefined) {
    session.complain('choose a violation first (n goes to the next one)');
    return;
  }
  const seqs = violation.witness.map(({ seq }) => seq).filter((seq) => seq >= 0);
  const next = by > 0 ? seqs.find((seq) => seq > session.seq) : seqs.findLast((seq) => seq < session.seq);
  if (next === undefined) session.complain(by > 0 ? 'this is the last event of the proof' : 'this is the first event of the proof');
  else session.goTo(next);
}
