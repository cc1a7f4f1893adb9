/** A log file that cannot be made, written or read. The message is one line: which file, where, why, what to do. */
export class LogFileError extends Error {
  override readonly name = 'LogFileError';
}

/** The short reason of a file system's error: its code and what it means. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message.split(',', 1)[0]!;
}
