import { basename } from 'node:path';
import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';
import { byteText, compact } from '../progress.ts';
import { lines, recordingText } from '../recording-file.ts';
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
