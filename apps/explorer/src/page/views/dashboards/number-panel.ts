import type { NumberPanel } from '@s2lab/dashboards';
import type { Choice, Samples } from './evaluate.ts';
import { curvesOf } from './evaluate.ts';
import type { ShownPanel } from './shown-panel.ts';
import { UNITS } from './units.ts';

/** One number, coloured when it is bad. */
export class NumberCard implements ShownPanel {
  readonly element = document.createElement('section');
  private readonly panel: NumberPanel;
  private readonly value = document.createElement('output');

  constructor(panel: NumberPanel) {
    this.panel = panel;
    this.element.className = 'stat';
    this.element.title = panel.description;
    const heading = document.createElement('h2');
    heading.textContent = panel.title;
    this.element.append(heading, this.value);
  }

  show(samples: Samples, choice: Choice): void {
    const [query] = this.panel.queries;
    const [curve] = curvesOf(query!.query, samples, choice);
    const value = curve?.at(samples.rows.length - 1) ?? null;
    this.value.textContent = value === null ? '–' : this.text(value);
    this.element.dataset['state'] = this.stateOf(value);
  }

  rebuild(): void {}

  private text(value: number): string {
    const { unit, decimals } = this.panel;
    return unit === 'short' && decimals !== undefined ? value.toFixed(decimals) : UNITS[unit].format(value);
  }

  private stateOf(value: number | null): string {
    const { bad } = this.panel;
    if (bad === undefined || value === null) return 'plain';
    if (value >= bad.red) return 'bad';
    return bad.yellow !== undefined && value >= bad.yellow ? 'warn' : 'good';
  }
}
