import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { LogBytes } from '@s2lab/frame';
import { IndexedLog, LogFileError, reasonOf } from '@s2lab/frame';

/** Opens an existing file. @throws LogFileError when it cannot be opened. */
export async function openLogFile(path: string, flags: 'r' | 'r+'): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    throw new LogFileError(`log ${path}: cannot be opened (${reasonOf(cause)})`, { cause });
  }
}

/** The bytes of a file as a log. */
export function fileBytes(file: FileHandle): LogBytes {
  return {
    size: async () => (await file.stat()).size,
    read: async (offset, count) => {
      const bytes = new Uint8Array(count);
      let done = 0;
      while (done < count) {
        const { bytesRead } = await file.read(bytes, done, count - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done === count ? bytes : bytes.slice(0, done);
    },
    close: () => file.close(),
  };
}

/**
 * Opens a log file with random access to its frames.
 * @throws LogFileError when there is no such file, it is no event log, or one of another schema version
 */
export async function openIndexedLog(path: string): Promise<IndexedLog> {
  const file = await openLogFile(path, 'r');
  try {
    return await IndexedLog.over(fileBytes(file), path);
  } catch (cause) {
    await file.close();
    throw cause instanceof LogFileError ? cause : new LogFileError(`log ${path}: cannot be read (${reasonOf(cause)})`, { cause });
  }
}
