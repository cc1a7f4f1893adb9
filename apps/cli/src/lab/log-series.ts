import type { GrowingLog } from '@s2lab/explorer';
import type { KeptRun } from '@s2lab/fleet';
import { LogRecorder } from './log-recorder.ts';

/** How the logs of a lab are made. */
export interface LogSeriesOptions {
  /** Path of the first run’s log; those of later runs get their number before the ending. */
  readonly path: string;
  /** Bytes of all logs together, after which recording stops. */
  readonly maxBytes: number;
  readonly overwrite: boolean;
  /** Takes one line for a recording that stops. */
  readonly announce: (line: string) => void;
}

/** A log that was made. */
export interface RecordedLog {
  readonly path: string;
  readonly bytes: number;
  /** Why recording ended before the run did; null when it did not. */
  readonly stopped: string | null;
}

/** The logs of a lab, one for each run: a log says what its run was, and which control began it. */
export class LogSeries {
  private readonly options: LogSeriesOptions;
  private readonly recorders: LogRecorder[] = [];

  constructor(options: LogSeriesOptions) {
    this.options = options;
  }

  /** The logs made so far. */
  get recorded(): readonly RecordedLog[] {
    return this.recorders.map(({ path, byteCount, failure }) => ({ path, bytes: byteCount, stopped: failure ?? null }));
  }

  /** The log of the newest run that has one, for who wants to look at it; undefined before the first. */
  latest(): GrowingLog | undefined {
    const recorder = this.recorders.at(-1);
    return recorder === undefined ? undefined : { path: recorder.path, growing: () => recorder.state().state === 'recording' };
  }

  /**
   * Makes the log of a run. A later run whose log cannot be made goes on without one, aloud.
   * @throws LogFileError when the first run’s log cannot be made
   */
  async next(run: KeptRun): Promise<LogRecorder | undefined> {
    const { path: first, maxBytes, overwrite, announce } = this.options;
    const path = run.number === 1 ? first : first.replace(/(\.[^./\\]*)?$/, (ending) => `-${run.number}${ending}`);
    const used = this.recorders.reduce((sum, { byteCount }) => sum + byteCount, 0);
    const { fleet, scenario, seed, policy, because } = run;
    const description = JSON.stringify({ run: fleet.run, scenario, seed, policy, startedBy: because });
    try {
      const recorder = await LogRecorder.create(path, description, Math.max(1, maxBytes - used), overwrite, announce);
      this.recorders.push(recorder);
      return recorder;
    } catch (error) {
      if (run.number === 1) throw error;
      announce(`${(error as Error).message}; run ${fleet.run} goes on without a log`);
      return undefined;
    }
  }
}
