/** A command that cannot be carried out as it was given. The message is one line: what, where, why, what to do. Exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Errors of the libraries whose message is one line for the user. */
const TOLD = new Set([
  'UsageError',
  'ScenarioError',
  'RecordingError',
  'LogFileError',
  'KafkaTransportError',
  'SettingsError',
  'PolicyError',
  'ImportError',
  'CheckError',
  'TimelineError',
]);

/**
 * The one line for the user, or undefined when the error is a mistake in the program.
 * Errors of the operating system (no such file, port in use, disk full) are the user’s to know.
 */
export function lineFor(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (TOLD.has(error.name) || (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code))) return error.message.split('\n', 1)[0]!;
  return undefined;
}
