import type { FileHandle } from 'node:fs/promises';
import type { Damage, EventSource, Frame } from '@s2lab/events';
import type { DecodeOptions, LogHeader } from '@s2lab/frame';
import { LogFileError, readLogHeader, reasonOf } from '@s2lab/frame';
import { fileBytes, openLogFile } from './file-bytes.ts';
import { scanLog } from './scan-log.ts';

/** How a log file is to be read. */
export type FileSourceOptions = Pick<DecodeOptions, 'without'>;

/**
 * Reads the frames of a log file in the order in which they were written, with memory for one frame and a window of some MiB. It needs
 * no footer: the log of a killed process is read up to its last whole frame, and what was cut is told as damage.
 */
export class FileSource implements EventSource {
  private readonly file: FileHandle;
  private readonly header: LogHeader;
  private readonly options: FileSourceOptions;

  private constructor(file: FileHandle, header: LogHeader, options: FileSourceOptions) {
    this.file = file;
    this.header = header;
    this.options = options;
  }

  /** @throws LogFileError when there is no such file, it is no event log, or one of another schema version. */
  static async open(path: string, options: FileSourceOptions = {}): Promise<FileSource> {
    const file = await openLogFile(path, 'r');
    try {
      return new FileSource(file, await readLogHeader(fileBytes(file), path), options);
    } catch (cause) {
      await file.close();
      throw cause instanceof LogFileError ? cause : new LogFileError(`log ${path}: cannot be read (${reasonOf(cause)})`, { cause });
    }
  }

  /** JSON text that says what the run was, as its writer gave it; empty when the log ends within its header. */
  get description(): string {
    return this.header.content?.description ?? '';
  }

  /** Whether the writer closed the log. A log that was not closed lacks its footer: pyarrow opens it after `repairLog`. */
  get closed(): boolean {
    return this.header.endMark !== undefined;
  }

  /** Bytes of the file when it was opened. */
  get byteCount(): number {
    return this.header.size;
  }

  async *frames(): AsyncGenerator<Frame | Damage, void> {
    for await (const { item } of scanLog(this.file, this.header, this.options)) yield item;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
