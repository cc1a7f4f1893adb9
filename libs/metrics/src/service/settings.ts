import type { z } from 'zod';

/** A setting that cannot be used. The message is one line: which variable, what was found, what was expected. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads settings from the environment. Empty variables count as absent.
 * @throws SettingsError
 */
export function readSettings<S extends z.ZodObject>(schema: S, environment: Readonly<Record<string, string | undefined>>): z.output<S> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, environment[name] === '' ? undefined : environment[name]]),
  );
  const outcome = schema.safeParse(given);
  if (outcome.success) return outcome.data;
  const issue = outcome.error.issues[0]!;
  const name = String(issue.path[0]);
  throw new SettingsError(`environment variable ${name}=${given[name]}: ${issue.message}; set it to a valid value or unset it`);
}
