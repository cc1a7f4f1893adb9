import type { Frame } from '@s2lab/events';

/** A trace with one defect: the invariant that must find it, and no other may. */
export interface Mutant {
  readonly invariant: string;
  readonly name: string;
  frames(): Frame[];
}

/** A trace without a defect. */
export interface GoodTrace {
  readonly name: string;
  frames(): Frame[];
}
