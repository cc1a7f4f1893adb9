import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Frame } from '@s2lab/events';
import { say, sayJson } from '../output.ts';
import { byteText, compact } from '../progress.ts';
import { lines, recordingText } from '../recording-file.ts';
import { UsageError } from '../usage-error.ts';
import { recordTraced } from './record.ts';

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
  command
    .command('casemate')
    .description('import a trace of casemate 3.0.2 (text) as events; verify --profile casemate judges it by casemate’s rules')
    .argument('<file>', 'trace, plain or gzip')
    .requiredOption('-o, --output <log>', 'log file to make')
    .option('-f, --force', 'replace the log file if it exists')
    .option('--json', 'print as JSON: {log, events, frames, bytes}')
    .addHelpText(
      'after',
      '\nRecord N of the trace becomes event N + 1.\n\nExample:\n  s2lab import casemate testdata/casemate/probe.leaf_bbm_ok_vmalls12.trace -o trace.arrow && s2lab verify --profile casemate trace.arrow',
    )
    .action(importCasemateFile);
  command
    .command('trace-cmd')
    .description('import the text of trace-cmd report (arm64 KVM tracepoints): its faults and notifier calls, played by the lab as events')
    .argument('<file>', 'text of trace-cmd report or of the tracefs trace file')
    .requiredOption('-o, --output <log>', 'log file to make')
    .option('--memslots <file>', 'where the memslots of the traced machine were (JSON)')
    .option('--ignore-unknown', 'leave out lines that are not understood')
    .option('--accept-lost-events', 'import a trace although it says that events were lost')
    .option('-f, --force', 'replace the log file if it exists')
    .option('--json', 'print as JSON, as record does')
    .addHelpText(
      'after',
      `
Tracepoints say which guest access faulted when and which host operation came, but nothing of page tables. The lab plays them: each fault
is an access of its vCPU, each notifier call an operation of the VMM, in the order and spacing of the trace; the page tables are the lab's.
The same as: s2lab record --workload FILE, which has more options.

Example:
  s2lab import trace-cmd testdata/ftrace/sample-arm64-trace-cmd-report.txt --memslots testdata/ftrace/sample-memslots.json -o trace.arrow`,
    )
    .action(recordTraced);
}

async function importGoldenFile(path: string, options: ImportOptions): Promise<void> {
  const [{ importGolden }, text] = await Promise.all([import('@s2lab/recordings'), recordingText(path)]);
  const run = `golden-${basename(path).replace(/\.jsonl(\.gz)?$/, '')}`;
  await importFile(path, options, () => importGolden(lines(text), { run }));
}

async function importCasemateFile(path: string, options: ImportOptions): Promise<void> {
  const [{ importCasemate }, text] = await Promise.all([import('@s2lab/recordings'), recordingText(path)]);
  const workload = basename(path)
    .replace(/\.gz$/, '')
    .replace(/\.(trace|log)$/, '');
  await importFile(path, options, () => importCasemate(text, { run: `casemate-${workload}`, workload }));
}

async function importFile(path: string, options: ImportOptions, frames: () => Iterable<Frame>): Promise<void> {
  const { FileSink } = await import('@s2lab/transport-file');
  try {
    for (const _frame of frames()); // to the end once, so that wrong input leaves no log behind
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
    for (const frame of frames()) {
      await sink.write(frame);
      events += frame.rows.length;
    }
  } finally {
    await sink.close();
  }
  if (options.json === true) sayJson({ log: options.output, events, frames: sink.frameCount, bytes: sink.byteCount });
  else say(`${options.output}: ${compact(events)} events, ${byteText(sink.byteCount)}`);
}
