import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';
import { byteText, compact } from '../progress.ts';
import { UsageError } from '../usage-error.ts';

interface ImportOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `import`: what other programs recorded, as a log. */
export function addImport(program: Command): void {
  const command = program.command('import').description('turn what other programs recorded into a log');
  command
    .command('golden')
    .description('import a recording of the real stage-2 code (JSON lines, plain or gzip) as events; verify judges it by the same rules')
    .argument('<file>', 'recording: .jsonl or .jsonl.gz')
    .requiredOption('-o, --output <log>', 'log file to make')
    .option('-f, --force', 'replace the log file if it exists')
    .option('--json', 'print as JSON: {log, events, frames, bytes}')
    .addHelpText(
      'after',
      '\nExample:\n  s2lab import golden testdata/traces/good_split.jsonl.gz -o split.arrow && s2lab verify split.arrow',
    )
    .action(importGoldenFile);
  command.addHelpText(
    'after',
    `
A trace of the kernel (trace-cmd report) holds faults and notifier calls but no page tables: it is a workload, not events.
Run it with: s2lab record --workload trace.txt -o LOG`,
  );
}

async function importGoldenFile(path: string, options: ImportOptions): Promise<void> {
  const [{ importGolden }, { FileSink }, text] = await Promise.all([
    import('@s2lab/recordings'),
    import('@s2lab/transport-file'),
    recordingText(path),
  ]);
  const run = `golden-${basename(path).replace(/\.jsonl(\.gz)?$/, '')}`;
  try {
    for (const _frame of importGolden(lines(text), { run })); // to the end once, so that wrong input leaves no log behind
  } catch (cause) {
    if ((cause as Error).name !== 'RecordingError') throw cause;
    throw new UsageError(`${path}: ${(cause as Error).message}`, { cause });
  }
  const sink = await FileSink.create(options.output, {
    description: JSON.stringify({ importedFrom: basename(path) }),
    overwrite: options.force === true,
  });
  let events = 0;
  try {
    for (const frame of importGolden(lines(text), { run })) {
      await sink.write(frame);
      events += frame.rows.length;
    }
  } finally {
    await sink.close();
  }
  if (options.json === true) sayJson({ log: options.output, events, frames: sink.frameCount, bytes: sink.byteCount });
  else say(`${options.output}: ${compact(events)} events, ${byteText(sink.byteCount)}`);
}

const GZIP_MAGIC = 0x1f8b;

/** The text of a recording, unpacked if it is packed. @throws UsageError */
async function recordingText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message.split(',', 1)[0];
    throw new UsageError(`recording ${path}: cannot be read: ${reason}; check the path`, { cause });
  }
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== GZIP_MAGIC) return bytes.toString('utf8');
  try {
    return (await promisify(gunzip)(bytes)).toString('utf8');
  } catch (cause) {
    throw new UsageError(`recording ${path}: its gzip data is damaged (${(cause as Error).message}); fetch the file again`, { cause });
  }
}

/** Lines of `text`, one at a time. */
function* lines(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    if (end === -1) {
      yield text.slice(from);
      return;
    }
    yield text.slice(from, end);
    from = end + 1;
  }
}
