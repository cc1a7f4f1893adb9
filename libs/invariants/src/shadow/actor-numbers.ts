import { grown } from './tables.ts';

/** A number for each actor that a rule knows something of, and `none` for all others. It grows with the actors and allocates nothing else. */
export class ActorNumbers {
  private values: Float64Array;
  private readonly none: number;

  constructor(none: number) {
    this.none = none;
    this.values = new Float64Array(8).fill(none);
  }

  of(actor: number): number {
    return actor < this.values.length ? this.values[actor]! : this.none;
  }

  set(actor: number, value: number): void {
    if (actor >= this.values.length) this.values = grown(this.values, new Float64Array(2 * (actor + 1)).fill(this.none));
    this.values[actor] = value;
  }

  clear(actor: number): void {
    if (actor < this.values.length) this.values[actor] = this.none;
  }
}
