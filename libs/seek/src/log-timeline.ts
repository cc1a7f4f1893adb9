import type { IndexedLog } from '@s2lab/frame';
import type { SurveyRecord } from '@s2lab/survey';
import { LogSeeker, MemoryCheckpoints, Survey } from '@s2lab/survey';
import { openIndexedLog } from '@s2lab/transport-file';
import { CheckpointFile, CheckpointWriter, checkpointPath, ZSTD_VIEWS } from './checkpoint-file.ts';

/** Violations kept with their proofs beside a log and for its page. */
const VIOLATIONS_KEPT = 1000;

/** What was built beside a log. */
export interface BuiltCheckpoints {
  readonly path: string;
  readonly checkpoints: number;
  readonly bytes: number;
}

/** A survey of a log file that is under way, for those who want to see it before it is complete. */
export interface RunningSurvey {
  readonly survey: Survey;
  /** Completes the file beside the log. */
  finish(): Promise<BuiltCheckpoints | undefined>;
  /** Leaves no file behind. */
  abandon(): Promise<void>;
}

/**
 * A log file in which any event of any machine can be gone to, from checkpoints beside it.
 */
export class LogTimeline extends LogSeeker {
  /** What a whole pass found; undefined until there was one. */
  record: SurveyRecord | undefined;
  private readonly hear: (line: string) => void;
  private file: CheckpointFile | undefined;

  private constructor(log: IndexedLog, tell: (line: string) => void) {
    super(log, tell);
    this.hear = tell;
  }

  /**
   * @param tell hears, line by line, of damage in the log and of checkpoints that do not fit it
   * @throws LogFileError when there is no such log
   */
  static async open(path: string, tell: (line: string) => void): Promise<LogTimeline> {
    const log = await openIndexedLog(path);
    for (const { damage, where, because } of log.damages) tell(`${damage}: ${where}: ${because}`);
    return new LogTimeline(log, tell);
  }

  /**
   * Makes sure that checkpoints are there: opens those beside the log, or builds them.
   * A folder that cannot be written to is told; checkpoints are then kept in memory.
   * @param onProgress hears how many events were folded
   */
  async requireCheckpoints(rebuild = false, onProgress: (events: number) => void = () => {}): Promise<BuiltCheckpoints | undefined> {
    if (!rebuild && (await this.openCheckpoints())) return undefined;
    const running = await this.beginSurvey();
    try {
      while (await running.survey.step()) onProgress(running.survey.events);
      return await running.finish();
    } catch (error) {
      await running.abandon();
      throw error;
    }
  }

  /** Opens the checkpoints beside the log. @returns whether there are any that fit it */
  async openCheckpoints(): Promise<boolean> {
    const path = checkpointPath(this.log.path);
    const found = await CheckpointFile.open(path, this.log);
    if (!(found instanceof CheckpointFile)) {
      if (!found.missing) this.hear(`${path}: ${found.because}; building them anew`);
      return false;
    }
    await this.file?.close();
    this.file = found;
    this.checkpoints = found;
    this.record = await found.survey();
    return true;
  }

  /** Begins one pass over the log, which leaves checkpoints that seeks use at once. */
  async beginSurvey(): Promise<RunningSurvey> {
    const path = checkpointPath(this.log.path);
    let writer: CheckpointWriter | undefined;
    try {
      writer = await CheckpointWriter.create(path);
    } catch (error) {
      this.hear(`${path}: cannot be made (${(error as Error).message}); checkpoints are kept in memory`);
    }
    return this.survey(writer);
  }

  /**
   * Begins one pass whose checkpoints stay in memory: over a log that still grows, or by further rules.
   * @param profile further rules
   */
  beginSurveyInMemory(profile?: string): RunningSurvey {
    return this.survey(undefined, profile);
  }

  private survey(writer: CheckpointWriter | undefined, profile?: string): RunningSurvey {
    const survey = new Survey(this, writer ?? new MemoryCheckpoints(ZSTD_VIEWS), { maxViolations: VIOLATIONS_KEPT, profile });
    this.checkpoints = survey.store;
    return {
      survey,
      finish: async () => {
        this.record = survey.record();
        if (writer === undefined) return undefined;
        await writer.close(this.log, this.record);
        await this.openCheckpoints();
        return { path: checkpointPath(this.log.path), checkpoints: writer.places.length, bytes: writer.byteCount };
      },
      abandon: async () => writer?.abandon(),
    };
  }

  override async close(): Promise<void> {
    await this.file?.close();
    await super.close();
  }
}
