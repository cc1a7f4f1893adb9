/** What a process is in the words of a report. */
export type Role = 'walker' | 'collapser' | 'mapper';

/** One field of a state: its name, its greatest value (the smallest is 0), and its value at the start. */
export interface Field {
  readonly name: string;
  readonly max: number;
  readonly initial: number;
}

/** One process: its role, its number among its like, and its own fields. */
export interface ProcessFields {
  readonly role: Role;
  readonly index: number;
  readonly fields: readonly Field[];
}

/** What the fields of a state are, in the order in which `Model.state` holds them: shared locations first, then each process's own. */
export interface StateFields {
  /** At most 31: location `n` is bit `n` of the access masks. */
  readonly shared: readonly Field[];
  readonly processes: readonly ProcessFields[];
}

/**
 * A concurrent program that a search explores. `state` is the current state, one number from 0 to 255 a field; a search writes any reachable
 * state into it and asks. A step is one atomic access to shared memory with its local branch and its assertion. What a process can do, and what
 * its step does, depends on shared fields and its own fields, and changes such, nothing else: a search asks once for all states that agree in these.
 */
export interface Model {
  readonly fields: StateFields;
  /** The current state. */
  readonly state: Uint8Array;
  /** Shared locations read since a search last set this to 0: one bit each. */
  reads: number;
  /** Shared locations written since a search last set this to 0: one bit each. */
  writes: number;
  /** Locations that are written and never read, such as a marker: writes to them conflict with nothing. */
  readonly neverRead: number;
  /** Groups of processes that may change places without any difference: their numbers, adjacent. */
  readonly identical: readonly (readonly number[])[];
  /** Whether the process is at its end. */
  done(process: number): boolean;
  /** Whether the process can step: it is not at its end and what it awaits holds. Notes the locations that it looked at in `reads`. */
  enabled(process: number): boolean;
  /** Makes the step of an enabled process. Returns false when its assertion fails; the state is then without meaning. */
  step(process: number): boolean;
  /** Locations that the process may read or write from the current state on, whatever happens: at least those that it will. */
  mayRead(process: number): number;
  mayWrite(process: number): number;
  /** What the process is about to do, such as `W2 takes a reference`. */
  words(process: number): string;
}
