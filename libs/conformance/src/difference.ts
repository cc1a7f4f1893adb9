/** Where the engine first did something else than the recorded code. */
export interface Difference {
  /** The operation: its number and name as recorded, and the walker in a parallel block. */
  readonly operation: string;
  /** Line of the recording, counted from 1. */
  readonly line: number;
  /** The recorded line. */
  readonly event: string;
  readonly expected: string;
  readonly got: string;
  /** Lines of the recording around it, each with its number; the one of the difference is marked. */
  readonly around: readonly string[];
}

/** Ends the comparison of a recording at its first difference. */
export class DifferenceFound extends Error {
  override readonly name = 'DifferenceFound';
  readonly line: number;
  readonly expected: string;
  readonly got: string;

  constructor(line: number, expected: string, got: string) {
    super(`line ${line}: expected ${expected}, got ${got}`);
    this.line = line;
    this.expected = expected;
    this.got = got;
  }
}
