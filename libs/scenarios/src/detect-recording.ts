import { RecordingError } from './recording.ts';
import { traceLine } from './trace-line.ts';

/** Lines looked at before giving up. */
const LINES_MAX = 200;
/** Where looking stops if lines are endless. */
const HEAD_CHARACTERS = 65_536;

/**
 * Tells by its content whether a file is an operation script or the text of a trace.
 * @param source name of the file, for messages
 * @throws RecordingError when it is neither, saying what it seems to be
 */
export function detectRecording(text: string, source: string): 'script' | 'trace' {
  if (text.startsWith('\x17\x08Dtracing')) {
    throw new RecordingError(source, 0, "a binary trace.dat: expected its text, as 'trace-cmd report' prints it");
  }
  const lines = text.slice(0, HEAD_CHARACTERS).split(/\r?\n/, LINES_MAX);
  if (lines.some((line) => /^# tracer:|^cpus=\d|^version = \d|^CPU:? ?\d/.test(line) || traceLine(line) !== undefined)) return 'trace';
  for (const [i, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (/^\s*\{/.test(line))
      throw new RecordingError(
        source,
        i + 1,
        'JSON: expected an operation script or the text of a trace (scenario files are given as scenarios)',
      );
    // Whatever follows is for the script's parser to judge, which names the line and what was expected.
    if (/^\s*[a-z_]+(\s|$)/.test(line)) return 'script';
    break;
  }
  throw new RecordingError(
    source,
    0,
    "expected an operation script (it begins with 'init') or the text of a trace ('trace-cmd report'), found neither",
  );
}
