import type { LabSample } from '../../../sample.ts';
import { short } from '../../numbers.ts';

/** The newest violations, each with its because. */
export class ViolationList {
  readonly element = document.createElement('section');
  private readonly list = document.createElement('ol');
  private readonly empty = document.createElement('p');
  private shown = -1;

  constructor() {
    this.element.className = 'panel';
    const heading = document.createElement('h2');
    heading.textContent = 'Latest violations';
    this.empty.className = 'empty';
    this.list.className = 'violations';
    this.element.append(heading, this.empty, this.list);
  }

  show(sample: LabSample): void {
    if (sample.violations === 0) this.empty.textContent = `None: every invariant checked holds over ${short(sample.verified)} events.`;
    if (sample.violations === this.shown) return;
    this.shown = sample.violations;
    this.empty.hidden = sample.violations > 0;
    this.list.replaceChildren(
      ...[...sample.latest].reverse().map((violation) => {
        const item = document.createElement('li');
        const name = document.createElement('b');
        name.textContent = violation.invariant;
        const where = document.createElement('span');
        where.className = 'where';
        where.textContent = `machine #${violation.machine} (${violation.policy}), event ${violation.seq}`;
        const because = document.createElement('p');
        because.textContent = violation.because;
        item.append(name, where, because);
        return item;
      }),
    );
  }
}
