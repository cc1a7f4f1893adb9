import type { Bar } from '../../shell.ts';
import { onSchemeChange } from '../../palette.ts';
import { ActorTable } from './actor-table.ts';
import { Controls, factsOf } from './controls.ts';
import { EventList } from './event-list.ts';
import { Lanes } from './lanes.ts';
import { readAddress, writeAddress } from './log-address.ts';
import type { LogSession } from './log-session.ts';
import { make } from './make-element.ts';
import { MapPanel } from './map-panel.ts';
import { OverviewStrip } from './overview-strip.ts';
import { StepCard } from './step-card.ts';
import { TreePanel } from './tree-panel.ts';
import { ViolationPanel } from './violation-panel.ts';

/** Milliseconds that a reader rests before the address follows, and after which it follows one who does not rest. */
const REST_MS = 150;
const RESTLESS_MS = 1000;

/** A log on the screen: puts the parts together and keeps the address right. */
export class LogView {
  private readonly session: LogSession;
  private readonly bar: Bar;
  private readonly controls: Controls;
  private readonly facts = new Map<string, HTMLElement>();
  private shown = false;
  private resting: ReturnType<typeof setTimeout> | undefined;
  /** Since when the address has been behind; 0 = it is not. */
  private behindSince = 0;

  constructor(root: HTMLElement, bar: Bar, session: LogSession) {
    this.session = session;
    this.bar = bar;
    bar.facts.replaceChildren(); // those of the log before
    this.controls = new Controls(session);
    const strip = new OverviewStrip(session);
    const map = new MapPanel(session);
    const lanes = new Lanes(session);
    const columns = make('div', 'log-columns');
    const left = make('div', 'log-column');
    const right = make('div', 'log-column');
    left.append(map.element, lanes.element, new TreePanel(session).element);
    right.append(
      new StepCard(session).element,
      new ViolationPanel(session).element,
      new ActorTable(session).element,
      new EventList(session, lanes).element,
    );
    columns.append(left, right);
    root.replaceChildren(this.controls.element, strip.element, columns);
    onSchemeChange(() => {
      strip.draw();
      map.draw();
      lanes.draw();
    });
    session.listen(() => this.refresh());
    addEventListener('keydown', (event) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (this.shown && !typing && this.controls.press(event)) event.preventDefault();
    });
    this.refresh();
  }

  /** Goes where a link points; a link without a place leaves everything as it is. */
  show(words: URLSearchParams): void {
    this.shown = true;
    const { session } = this;
    const { machine, run, seq, slot, actor, violation } = readAddress(words);
    const found = session.about.machines.find((one) => one.machine === machine && (run === undefined || one.run === run));
    if (machine !== undefined && found === undefined) session.complain(`the log has no machine ${machine}`);
    if (found !== undefined) session.choose(found);
    if (slot !== undefined) session.chooseSlot(slot);
    if (actor !== undefined) session.chooseActor(actor);
    if (violation !== undefined && violation < session.about.violations.length) session.chooseViolation(violation);
    if (seq !== undefined) session.goTo(seq);
    else if (session.moment === undefined) this.begin();
    else this.writeSoon();
  }

  hide(): void {
    this.shown = false;
    this.session.pause();
  }

  /** A log without a place in the link: at its first violation, at the newest event while it grows, else at its beginning. */
  private begin(): void {
    const { session } = this;
    if (session.about.violations.length > 0) session.showViolation(0);
    else if (session.about.growing) session.follow(true);
    else session.goTo(0);
  }

  private refresh(): void {
    const { session } = this;
    for (const [name, value, title] of factsOf(session)) {
      const cell = this.facts.get(name) ?? this.addFact(name);
      if (cell.textContent !== value) cell.textContent = value;
      if (cell.title !== title) cell.title = title;
    }
    this.judge();
    if (this.shown) this.writeSoon();
  }

  private addFact(name: string): HTMLElement {
    const pair = make('div');
    const cell = make('dd');
    pair.append(make('dt', '', name), cell);
    this.bar.facts.append(pair);
    this.facts.set(name, cell);
    return cell;
  }

  private judge(): void {
    const { about } = this.session;
    const { verdict, counts } = about.verdict;
    const found = Object.values(counts).reduce((sum, n) => sum + n, 0);
    const open = !about.survey.complete || about.growing;
    const state = verdict === 'violated' ? 'violated' : verdict === 'holds' ? 'holds' : open ? 'waiting' : 'lost';
    const text = {
      violated: `violated: ${found.toLocaleString('en')} violation${found === 1 ? '' : 's'}`,
      holds: open ? 'holds so far' : 'holds',
      waiting: 'reading the log',
      lost: 'part of the log cannot be read',
    }[state];
    if (this.bar.verdict.textContent === text) return; // a live region speaks at every change
    this.bar.verdict.dataset['state'] = state;
    this.bar.verdict.textContent = text;
  }

  /** The address follows when the reader rests: a browser takes milliseconds for it, and refuses many in a row. */
  private writeSoon(): void {
    const now = performance.now();
    this.behindSince ||= now;
    clearTimeout(this.resting);
    this.resting = setTimeout(
      () => {
        this.behindSince = 0;
        if (this.shown) this.writeAddress();
      },
      Math.max(0, Math.min(REST_MS, this.behindSince + RESTLESS_MS - now)),
    );
  }

  /** Makes the address a link to what is shown, without a step in the browser’s history. */
  private writeAddress(): void {
    const { session } = this;
    if (session.moment === undefined) return;
    const runs = new Set(session.about.machines.map(({ run }) => run)).size;
    const link = writeAddress({
      machine: session.machine.machine,
      run: runs > 1 ? session.machine.run : undefined,
      seq: session.moment.seq,
      slot: session.slot,
      actor: session.actor,
      violation: session.violation,
    });
    if (location.hash !== link) history.replaceState(null, '', link);
  }
}
