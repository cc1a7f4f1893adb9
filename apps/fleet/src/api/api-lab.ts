import type { EventMetrics } from '@s2lab/metrics';
import type { RunKeeper } from '../control/run-keeper.ts';

/** Where a lab’s events go. */
export interface LabOutput {
  readonly to: 'kafka' | 'file' | 'nowhere';
  /** Topic or path; empty for nowhere. */
  readonly where: string;
  /** Why nothing gets through at this moment; null when it does. */
  readonly waitingFor: string | null;
}

/** What the API may ask of the running lab, be it the service or the one of `npm start`. */
export interface ApiLab {
  readonly runs: RunKeeper;
  /** The fold of the events: tallies of machines. */
  readonly events: EventMetrics;
  output(): LabOutput;
}

/** An answer other than success. The message is one line: what, why, what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly statusCode: number;

  /** @param statusCode an HTTP status from 400 on */
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}
