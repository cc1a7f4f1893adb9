import type { z } from 'zod';

const SHOWN_CHARACTERS = 40;

/**
 * One line per problem of a value that a schema refused: where, what was expected, what was found.
 * @param value what was validated, to show what stands there
 */
export function problemLines(error: z.ZodError, value: unknown): string[] {
  return error.issues.flatMap((issue) => {
    const where = pathText(issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `${pathText([...issue.path, key])}: this key is not known here`);
    }
    const found = valueAt(value, issue.path);
    return [`${where}: ${expectation(issue)}, found ${shown(found)}`];
  });
}

/** `machines[0].workload.type` for a path of keys and indices; `(top level)` for the empty path. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${keyText(key)}`)).join('');
}

/** A key as it stands; in quotes, shortened and with escapes when it is none that a schema would have, so that a problem stays on its line. */
function keyText(key: PropertyKey): string {
  const text = String(key);
  return /^[\w-]{1,64}$/.test(text) ? text : JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return `expected ${SIZED[issue.origin] ?? ''}at least ${issue.minimum}`;
    case 'too_big':
      return `expected ${SIZED[issue.origin] ?? ''}at most ${issue.maximum}`;
    case 'invalid_value':
      return `expected ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      return issue.message.startsWith('expected') ? issue.message : unionExpectation(issue);
    default:
      return issue.message.startsWith('expected') ? issue.message : `expected otherwise (${issue.message})`;
  }
}

function unionExpectation(issue: z.core.$ZodIssueInvalidUnion): string {
  const options = (issue as { options?: readonly unknown[] }).options;
  return options === undefined ? 'expected one of the known kinds' : `expected one of ${options.map(String).join(', ')}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};
const SIZED: Readonly<Record<string, string>> = { array: 'a list of length ', string: 'a text of length ' };

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of length ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
