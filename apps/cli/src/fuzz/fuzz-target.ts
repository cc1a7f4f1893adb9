import type { FuzzRandom } from './mutation.ts';

/** Something that reads what comes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Makes ready; returns what handles the input of a seed, and what to do at the end. */
  open(): Promise<OpenTarget>;
  /** Inputs in a run of a million. */
  readonly share: number;
}

/** A target that is ready. */
interface OpenTarget {
  /** Handles the input that `random` makes. @throws what the target may not throw; resolves to whether the input was taken as good */
  run(random: FuzzRandom): boolean | Promise<boolean>;
  close(): Promise<void>;
}
