import { accessSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';

/** What integration specs may need from the machine; `npm run provision` finds or installs each. */
export const CAPABILITIES = ['java', 'kafka', 'prometheus', 'promtool', 'chromium', 'pyarrow', 'perfetto'] as const;

/** The name of one such need. */
export type CapabilityName = (typeof CAPABILITIES)[number];

/**
 * Whether a need is met, and where.
 * `path` is an absolute path: of the program for `java` (a JRE ≥ 17), `prometheus`, `promtool` and `chromium`; of the folder that holds the jars
 * for `kafka` (class path `path/*`); of a Python interpreter that imports pyarrow and duckdb for `pyarrow`, and Perfetto's own definition of its
 * format for `perfetto`.
 */
export type Capability = { readonly available: true; readonly path: string } | { readonly available: false; readonly reason: string };

/** What `npm run provision` writes and `capability` reads: a path, or the reason why there is none. */
export type CapabilityRecord = Partial<Record<CapabilityName, { path: string } | { reason: string }>>;

/** The file with the record: `.cache/capabilities.json` in the project root. */
export const CAPABILITY_FILE = new URL('../../../.cache/capabilities.json', import.meta.url);

/** Whether the machine has what `name` stands for, as found by the last `npm run provision`. */
export function capability(name: CapabilityName): Capability {
  const found = readRecord()[name];
  if (!found) return { available: false, reason: 'not looked for yet: run `npm run provision`' };
  if ('reason' in found) return { available: false, reason: found.reason };
  try {
    accessSync(found.path);
  } catch {
    return { available: false, reason: `${found.path} is gone: run \`npm run provision\`` };
  }
  return { available: true, path: found.path };
}

/**
 * The path of what `name` stands for, for a test that cannot do without it.
 * When it cannot be had, the test is skipped with the reason and undefined is returned: the test then returns at once.
 * The test runner says each skip aloud, and under CI it counts one as a failure.
 */
export function requireCapability(t: Pick<TestContext, 'skip'>, name: CapabilityName): string | undefined {
  const found = capability(name);
  if (found.available) return found.path;
  // oxlint-disable-next-line s2lab/no-skipped-tests -- the one way in which a test may be skipped
  t.skip(`needs ${name}: ${found.reason}`);
  return undefined;
}

/** @returns the record; empty when provisioning has not run. */
function readRecord(): CapabilityRecord {
  try {
    return JSON.parse(readFileSync(CAPABILITY_FILE, 'utf8')) as CapabilityRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new Error(`${CAPABILITY_FILE.pathname} cannot be read; remove it and run \`npm run provision\``, { cause: error });
  }
}
