import { hexAddress } from '@s2lab/arch';
import type { SlotChange } from '../../../log/answers.ts';
import { duration } from '../../numbers.ts';
import type { LogSession } from './log-session.ts';
import { button, keepHeight, make, panel } from './make-element.ts';

/** The event that is shown: who did what and why, and what it changed. */
export class StepCard {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly heading: HTMLElement;
  private readonly body = make('div', 'step');
  private readonly chosen = make('p', 'chosen-slot');

  constructor(session: LogSession) {
    this.session = session;
    const { element, heading } = panel('Event');
    this.element = element;
    this.heading = heading;
    const place = make('div');
    place.append(this.body);
    keepHeight(place, this.body);
    element.append(place, this.chosen);
    session.listen((news) => {
      if (news === 'moment') this.show();
      if (news === 'moment' || news === 'choice') this.showChosen();
    });
  }

  private show(): void {
    const { moment } = this.session;
    if (moment === undefined) return;
    const { event, change } = moment;
    this.heading.textContent = `Event ${event.seq.toLocaleString('en')} · ${duration(event.at)} · ${event.who}`;
    const parts: HTMLElement[] = [make('p', 'what', event.text)];
    if (event.why !== '') parts.push(make('p', 'muted', event.why));
    if (change !== null) parts.push(changeTable(change));
    this.body.replaceChildren(...parts);
  }

  private showChosen(): void {
    const { slot, moment } = this.session;
    if (slot === undefined) {
      this.chosen.replaceChildren(make('span', 'muted', 'Choose a slot in the map or the tree to go from one of its writes to the next.'));
      return;
    }
    const run = moment?.tree.length === 0 ? undefined : this.chosenText();
    this.chosen.replaceChildren(
      make('b', '', `slot ${slot.table}/${slot.slot}`),
      make('span', '', run ?? ''),
      button('◂ write', 'Last write to the chosen slot before this event (Shift+W)', () => findWrite(this.session, true)),
      button('write ▸', 'Next write to the chosen slot (W)', () => findWrite(this.session, false)),
      button('×', 'Choose no slot', () => this.session.chooseSlot(undefined)),
    );
  }

  /** What the chosen slot holds, where the tree shows it. */
  private chosenText(): string | undefined {
    const { slot, moment } = this.session;
    const nodes = [...(moment?.tree ?? [])];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      for (const run of node.slots) {
        if (run.table === slot!.table && slot!.slot >= run.slot && slot!.slot < run.slot + run.count) return run.descriptor.text;
        if (run.child !== null) nodes.push(run.child);
      }
    }
    return undefined;
  }
}

/** Goes to the next or last write of the chosen slot. */
export function findWrite(session: LogSession, backwards: boolean): void {
  const { slot } = session;
  if (slot === undefined) session.complain('choose a slot first, in the map or the tree');
  else void session.find({ slot }, backwards, `write to slot ${slot.table}/${slot.slot}`);
}

/** Before and after, with the hexadecimal digits that differ marked. */
function changeTable({ table, slot, level, ipa, before, after }: SlotChange): HTMLElement {
  const element = make('div', 'change');
  element.append(make('p', 'muted', `table ${table} slot ${slot}, level ${level}, IPA ${hexAddress(ipa)}`));
  const line = (word: string, bits: string, other: string, text: string): void => {
    const row = make('p');
    const code = make('code');
    const [left, right] = [allDigits(bits), allDigits(other)];
    for (let i = 0; i < left.length; i += 1) code.append(left[i] === right[i] ? left[i]! : make('mark', '', left[i]!));
    row.append(make('span', 'muted', word), code, make('span', '', text));
    element.append(row);
  };
  line('was', before.bits, after.bits, before.text);
  line('is', after.bits, before.bits, after.text);
  return element;
}

/** All 16 digits of a descriptor, so that two of them stand one below the other. */
function allDigits(bits: string): string {
  return `0x${bits.slice(2).padStart(16, '0')}`;
}
