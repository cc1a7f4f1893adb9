import { open, rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { copyRows, decodeEvent, isDamage } from '@s2lab/events';
import type { EventSource, Frame } from '@s2lab/events';
import type { EventRange } from '../event-range.ts';
import { openLogRange, rowsInRange, withEventRange } from '../event-range.ts';
import { newFile, say, sayJson, standardOutput, tell } from '../output.ts';
import { Progress, compact } from '../progress.ts';
import { UsageError } from '../usage-error.ts';

interface ExportOptions extends EventRange {
  readonly format: 'jsonl' | 'arrow' | 'perfetto' | 'parquet' | 'casemate';
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `export`: a log, or a part of it, in another form. */
export function addExport(program: Command): void {
  withEventRange(program.command('export'))
    .description('write a log, or a part of it, as JSON lines, a whole Arrow file, a Perfetto trace, Parquet or a casemate trace')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .addOption(
      new Option('--format <format>', 'form to write').choices(['jsonl', 'arrow', 'perfetto', 'parquet', 'casemate']).default('jsonl'),
    )
    .option('-o, --output <file>', 'file to make; JSON lines go to standard output without it')
    .option('-f, --force', 'replace the file if it exists')
    .option('--json', 'print what was done as JSON: {output, format, events, damages}')
    .addHelpText(
      'after',
      `
Examples:
  s2lab export run.arrow --format jsonl -o run.jsonl
  s2lab export kafka://127.0.0.1:9092/s2lab.events --format arrow -o topic.arrow
  s2lab export run.arrow --format perfetto -o run.perfetto-trace    open it at ui.perfetto.dev
  s2lab export run.arrow --format parquet -o run.parquet
  s2lab export run.arrow --format casemate --machine 0 -o run.trace    an independent checker can judge it
  s2lab export run.arrow --machine 0 | head`,
    )
    .action(exportLog);
}

async function exportLog(log: string, options: ExportOptions): Promise<void> {
  if (options.output === undefined && (options.format !== 'jsonl' || options.json === true))
    throw new UsageError('export: where to? give -o FILE');
  const source = await openLogRange(log, options);
  const progress = new Progress(options.json === true);
  const done = { output: options.output ?? '-', format: options.format, events: 0, damages: 0 };
  let begun = false;
  try {
    const writer = await writerFor(options, log);
    begun = options.format === 'perfetto' || options.format === 'parquet' || options.format === 'casemate';
    for await (const frame of readable(source, () => {
      done.damages += 1;
    })) {
      const found = rowsInRange(frame, options);
      if (found === undefined) continue;
      await writer.write({ origin: frame.origin, ...found });
      done.events += found.rows.length;
      progress.update(() => `${log}: ${compact(done.events)} events`);
    }
    await writer.close();
  } catch (error) {
    if (begun) await rm(options.output!, { force: true }); // half a file would be taken for a whole one
    throw error;
  } finally {
    progress.end();
    await source.close();
  }
  if (options.json === true) sayJson(done);
  else if (options.output !== undefined) say(`${options.output}: ${compact(done.events)} events`);
  if (done.damages > 0) process.exitCode = 2;
}

async function* readable(source: EventSource, onDamage: () => void): AsyncGenerator<Frame> {
  for await (const item of source.frames()) {
    if (!isDamage(item)) {
      yield item;
      continue;
    }
    tell(`${item.damage}: ${item.where}: ${item.because}`);
    onDamage();
  }
}

interface FrameWriter {
  write(frame: Frame): Promise<void>;
  close(): Promise<void>;
}

async function writerFor(options: ExportOptions, log: string): Promise<FrameWriter> {
  switch (options.format) {
    case 'jsonl':
      return jsonlWriter(options);
    case 'arrow':
      return arrowWriter(options, log);
    case 'perfetto':
      return perfettoWriter(options);
    case 'casemate':
      return casemateWriter(options);
    case 'parquet':
      return (await import('../export/parquet-file.ts')).ParquetWriter.create(options.output!, options.force === true);
    default: {
      const never: never = options.format;
      throw new TypeError(`format ${String(never)}`);
    }
  }
}

async function perfettoWriter(options: ExportOptions): Promise<FrameWriter> {
  const { PerfettoTrace } = await import('../export/perfetto-trace.ts');
  const file = await open(options.output!, options.force === true ? 'w' : 'wx');
  const trace = new PerfettoTrace();
  return {
    write: async (frame) => file.writeFile(trace.write(frame)),
    close: async () => {
      await file.writeFile(trace.end());
      await file.close();
    },
  };
}

async function casemateWriter(options: ExportOptions): Promise<FrameWriter> {
  const { CasemateTrace, CasemateExportError } = await import('@s2lab/recordings');
  const file = await open(options.output!, options.force === true ? 'w' : 'wx');
  const trace = new CasemateTrace();
  const write = async (text: () => string): Promise<void> => {
    try {
      await file.writeFile(text());
    } catch (cause) {
      await file.close();
      throw cause instanceof CasemateExportError ? new UsageError(`export: ${cause.message}`, { cause }) : cause;
    }
  };
  return {
    write: async (frame) => write(() => trace.write(trace.keepsFrames ? { ...frame, rows: copyRows(frame.rows) } : frame)),
    close: async () => {
      await write(() => trace.end());
      await file.close();
    },
  };
}

function jsonlWriter(options: ExportOptions): FrameWriter {
  const out = options.output === undefined ? standardOutput() : newFile(options.output);
  return {
    write: async ({ origin, firstSeq, rows }) => {
      for (let i = 0; i < rows.length; i += 1) await out.write(JSON.stringify(decodeEvent(rows, i, firstSeq + i, origin.machine)));
    },
    close: () => out.close(),
  };
}

async function arrowWriter(options: ExportOptions, log: string): Promise<FrameWriter> {
  const { FileSink } = await import('@s2lab/transport-file');
  return FileSink.create(options.output!, { description: JSON.stringify({ exportedFrom: log }), overwrite: options.force === true });
}
