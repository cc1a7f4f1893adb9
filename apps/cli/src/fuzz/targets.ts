import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Frame } from '@s2lab/events';
import { copyRows, isDamage } from '@s2lab/events';
import { checksumPlace, decodeFrame, encodeFrame, messageChecksum, platformCodec, readPrefix } from '@s2lab/frame';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { CasemateTrace, importCasemate, importGolden } from '@s2lab/recordings';
import {
  builtinScenarios,
  detectRecording,
  parseGoldenScript,
  parseMemslotMap,
  parseScenarioText,
  parseTraceReport,
} from '@s2lab/scenarios';
import { FileSink, FileSource } from '@s2lab/transport-file';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateBytes, mutateText } from './mutation.ts';
import { httpTarget } from './http-target.ts';

const TESTDATA = join(import.meta.dirname, '../../../../testdata');

/** Most lines of a recording that is a seed: small inputs, many of them. */
const SEED_LINES = 60;

function texts(folder: string, pattern: RegExp, max: number): string[] {
  const path = join(TESTDATA, folder);
  const names = readdirSync(path).filter((name) => pattern.test(name));
  return names.slice(0, max).map((name) => {
    const bytes = readFileSync(join(path, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  });
}

function head(text: string): string {
  return text.split('\n').slice(0, SEED_LINES).join('\n');
}

/** A target of text that may be refused by errors of the names given, and by nothing else. */
function textTarget(
  name: string,
  share: number,
  refusals: readonly string[],
  seeds: () => string[],
  read: (text: string) => void,
): FuzzTarget {
  return {
    name,
    share,
    open: async () => {
      const known = seeds();
      return {
        run: (random) => {
          try {
            read(mutateText(random, known));
            return true;
          } catch (error) {
            if (!refusals.includes((error as Error).name)) throw error;
            if (/\n/.test((error as Error).message))
              throw new Error(`a refusal of more than one line: ${(error as Error).message}`, { cause: error });
            return false;
          }
        },
        close: async () => {},
      };
    },
  };
}

function judge(frames: Iterable<Frame>, profile?: string): void {
  const verifier = new Verifier(profile === undefined ? { maxViolations: 5 } : { maxViolations: 5, profile });
  for (const frame of frames) verifier.fold(frame);
  formatVerdict(verifier.finish());
}

function goldenFrames(): Frame[] {
  return texts('golden/kvm', /ps12/, 2).flatMap((text) =>
    [...importGolden(text.split('\n'))].map((frame) => ({ ...frame, rows: copyRows(frame.rows) })),
  );
}

/** A frame with the checksum of what it now holds, as a forger would write it. */
function reseal(message: Uint8Array): void {
  const prefix = message.byteLength < 8 ? undefined : readPrefix(message, 0);
  if (prefix === undefined || prefix === 'end' || message.byteLength < 8 + prefix.metadataBytes) return;
  const digits = messageChecksum(message, prefix.metadataBytes, platformCodec);
  for (let i = 0; i < digits.length; i += 1) message[checksumPlace(prefix.metadataBytes) + i] = digits.charCodeAt(i);
}

const frames: FuzzTarget = {
  name: 'frames (log and Kafka), forged checksums, then the verifier',
  share: 600_000,
  open: async () => {
    const seeds = goldenFrames().map((frame) =>
      encodeFrame({ ...frame, rows: { ...copyRows(frame.rows), length: Math.min(32, frame.rows.length) } }),
    );
    return {
      run: (random) => {
        const bytes = mutateBytes(random, seeds);
        if (random.below(4) > 0) reseal(bytes);
        const item = decodeFrame(bytes, 'here');
        if (isDamage(item)) return false;
        judge([item]);
        return true;
      },
      close: async () => {},
    };
  },
};

const logFiles: FuzzTarget = {
  name: 'log files, forged checksums',
  share: 5_000,
  open: async () => {
    const path = join(tmpdir(), `s2lab-fuzz-${process.pid}.arrow`);
    const sink = await FileSink.create(path, { overwrite: true });
    for (const frame of goldenFrames()) await sink.write(frame);
    await sink.close();
    const seed = readFileSync(path);
    return {
      run: async (random) => {
        const bytes = mutateBytes(random, [seed]);
        // A frame in the middle of the file gets its checksum right again.
        if (random.below(2) === 0)
          for (let at = 0; at + 8 < bytes.length; at += 8) if (bytes[at] === 255 && bytes[at + 3] === 255) reseal(bytes.subarray(at));
        writeFileSync(path, bytes);
        let source: FileSource;
        try {
          source = await FileSource.open(path);
        } catch (error) {
          if ((error as Error).name !== 'LogFileError') throw error;
          return false;
        }
        const verifier = new Verifier({ maxViolations: 5 });
        let damaged = false;
        for await (const item of source.frames()) {
          if (isDamage(item)) damaged = true;
          else verifier.fold(item);
        }
        await source.close();
        return !damaged;
      },
      close: async () => rmSync(path, { force: true }),
    };
  },
};

const rows: FuzzTarget = {
  name: 'rows of frames that are whole, through the verifier and the casemate export',
  share: 10_000,
  open: async () => {
    const seeds = goldenFrames();
    const columns = ['kind', 'actor', 'walk', 'stage2', 'level', 'slot', 'table', 'old', 'new', 'ipa', 'arg', 'aux', 'at'] as const;
    return {
      run: (random) => {
        const frame = random.pick(seeds);
        const length = Math.min(frame.rows.length, 1 + random.below(200));
        const changed = { ...copyRows(frame.rows), length };
        for (let n = random.below(24); n > 0; n -= 1) {
          const column = changed[random.pick(columns)];
          column[random.below(column.length)] = random.pick([
            0,
            1,
            3,
            255,
            0xffff,
            0x8000_0000,
            0xffff_ffff,
            random.below(1000),
            random.below(0xffff_ffff),
          ]);
        }
        const altered = { ...frame, rows: changed };
        judge([altered], random.below(2) === 0 ? 'casemate' : undefined);
        try {
          const trace = new CasemateTrace();
          trace.write(altered);
          trace.end();
        } catch (error) {
          if ((error as Error).name !== 'CasemateExportError') throw error;
          return false;
        }
        return true;
      },
      close: async () => {},
    };
  },
};

/** All that reads from outside. */
export const TARGETS: readonly FuzzTarget[] = [
  frames,
  logFiles,
  rows,
  textTarget(
    'import golden, then the verifier',
    15_000,
    ['RecordingError'],
    () =>
      [...texts('golden/kvm', /ps12/, 3), ...texts('golden/stock', /scripted|parallel-1025/, 3)]
        .map(head)
        .map((text) => `${text}\n{"end":1}`),
    (text) => judge(importGolden(text.split('\n'))),
  ),
  textTarget(
    'import casemate, then its profile',
    25_000,
    ['RecordingError'],
    () => texts('casemate', /\.trace$/, 400).filter((text) => text.length < 6000),
    (text) => judge(importCasemate(text), 'casemate'),
  ),
  textTarget(
    'trace-cmd reports',
    80_000,
    ['RecordingError'],
    () =>
      texts('ftrace', /report\.txt$/, 1).flatMap((text) => [
        head(text),
        text
          .split('\n')
          .slice(SEED_LINES, 3 * SEED_LINES)
          .join('\n'),
      ]),
    (text) => void parseTraceReport(text, 'trace.txt'),
  ),
  textTarget(
    'operation scripts',
    80_000,
    ['RecordingError'],
    () => [...texts('scripts/kvm', /./, 10), ...texts('scripts/stock', /./, 10)].map(head),
    (text) => void parseGoldenScript(text, 'script.txt'),
  ),
  textTarget(
    'memslot maps, and what a recording is',
    100_000,
    ['RecordingError'],
    () => texts('ftrace', /json$/, 1),
    (text) => {
      parseMemslotMap(text, 'slots.json');
      detectRecording(text, 'slots.json');
    },
  ),
  textTarget(
    'scenarios',
    80_000,
    ['ScenarioError'],
    () => [...builtinScenarios.values()].map((scenario) => JSON.stringify(scenario, null, 1)),
    (text) => void parseScenarioText(text, 'scenario.json'),
  ),
  httpTarget,
];
