import type { ChartMark } from '../../charts/chart.ts';
import type { Choice, Samples } from './evaluate.ts';

/** A panel on the page. */
export interface ShownPanel {
  readonly element: HTMLElement;
  show(samples: Samples, choice: Choice, marks: readonly ChartMark[]): void;
  /** Draws anew, in the colours of the moment. */
  rebuild(): void;
}
