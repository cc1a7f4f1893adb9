import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Recording, Recordings, Scenario, TraceOptions } from '@s2lab/scenarios';
import {
  ScenarioError,
  builtinScenarios,
  detectRecording,
  parseGoldenScript,
  parseMemslotMap,
  parseScenarioText,
  parseTraceReport,
  scenarioOfRecording,
} from '@s2lab/scenarios';

/** A scenario with the recordings it names: all that a run needs to be assembled. */
export interface LoadedScenario {
  readonly scenario: Scenario;
  readonly recordings: Recordings;
}

/** A recorded workload and how to read it. */
export interface RecordingFile {
  readonly path: string;
  /** Side file with the memslots of a traced machine. */
  readonly memslots?: string | undefined;
  readonly policy: string;
  readonly trace?: Omit<TraceOptions, 'memslots'>;
}

/**
 * Loads a scenario: the name of a built-in one, or the path of a file (anything with a `/` or ending in `.json`). Recordings that it
 * names are read from beside the file.
 * @throws ScenarioError, RecordingError: one line with the file and the place in it
 */
export async function loadScenario(nameOrPath: string): Promise<LoadedScenario> {
  if (!nameOrPath.includes('/') && !nameOrPath.endsWith('.json')) {
    const found = builtinScenarios.get(nameOrPath);
    if (found !== undefined) return { scenario: found, recordings: new Map() };
    throw new ScenarioError(nameOrPath, [
      `no scenario of this name: built in are ${[...builtinScenarios.keys()].join(', ')}; a scenario file is given by its path, such as ./${nameOrPath}.json`,
    ]);
  }
  const scenario = parseScenarioText(await textOf(nameOrPath), nameOrPath);
  const recordings = new Map<string, Recording>();
  for (const { workload } of scenario.machines) {
    if (workload.type === 'recorded')
      recordings.set(workload.params.file, await readRecording(join(dirname(nameOrPath), workload.params.file), {}));
  }
  return { scenario, recordings };
}

/** A scenario of one machine that plays a recorded workload. @throws ScenarioError, RecordingError */
export async function loadRecordedWorkload(file: RecordingFile): Promise<LoadedScenario> {
  const memslots =
    file.memslots === undefined ? undefined : parseMemslotMap(await textOf(file.memslots), file.memslots, file.trace?.pageShift);
  const recording = await readRecording(file.path, { ...file.trace, memslots });
  if (memslots !== undefined && recording.format !== 'trace') {
    throw new ScenarioError(file.path, ['an operation script says itself where its memslots are; leave out --memslots']);
  }
  return { scenario: scenarioOfRecording(recording, file.policy), recordings: new Map([[recording.name, recording]]) };
}

/** Reads a recording and names it by its file and content, not by its folder: equal recordings make equal runs wherever they lie. */
async function readRecording(path: string, options: TraceOptions): Promise<Recording> {
  const text = await textOf(path);
  const recording = detectRecording(text, path) === 'trace' ? parseTraceReport(text, path, options) : parseGoldenScript(text, path);
  return { ...recording, name: `${basename(path)}@${createHash('sha256').update(text).digest('hex').slice(0, 8)}` };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file; check the path' : (cause as Error).message;
    throw new ScenarioError(path, [reason]);
  }
}
