import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isDamage } from '@s2lab/events';
import { portArgument } from '../arguments.ts';
import { openLog } from '../log-argument.ts';
import { say, tell } from '../output.ts';
import { portProblem } from '../port-problem.ts';
import { Progress, compact } from '../progress.ts';
import { stopSignal, whenAborted } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

interface UiOptions {
  readonly host: string;
  readonly port: number;
  readonly export?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Port of the page of a log: beside that of a living lab. */
const DEFAULT_PORT = 7801;

/** `ui`: a log on a page, forwards and backwards. */
export function addUi(program: Command): void {
  program
    .command('ui')
    .description('open a log on a page: time line, map and tree of the stage-2, walkers; forwards and backwards, event by event')
    .argument('[log]', 'log file, or kafka://host:port/topic; without one, the page asks for a file')
    .option('--host <address>', 'address the page binds to', '127.0.0.1')
    .option('--port <n>', 'port of the page; 0 = any free one', portArgument, DEFAULT_PORT)
    .option('--export <folder>', 'write the page, and the log if one is given, as a static site instead of serving it')
    .option('-f, --force', 'with --export: write into a folder that is not empty')
    .option('--json', 'print as JSON: {event, url, log}')
    .addHelpText(
      'after',
      `
Examples:
  s2lab ui run.arrow
  s2lab ui kafka://127.0.0.1:9092/s2lab.events --port 0
  s2lab ui run.arrow --export site           any web server can serve the folder
  s2lab ui --export site                     a page onto which logs are dropped

The address of the page says what is shown (#machine=0&seq=41250): it can be sent to whoever has the same log. The page lists its keys
under '?'. The first use surveys the log in the background and keeps checkpoints beside it (LOG.checkpoints).`,
    )
    .action(ui);
}

async function ui(log: string | undefined, options: UiOptions): Promise<void> {
  if (options.export !== undefined) {
    await exportSite(log, options.export, options);
    return;
  }
  const stop = stopSignal();
  const fromTopic = log?.includes('://') === true;
  const folder = fromTopic ? await mkdtemp(join(tmpdir(), 's2lab-ui-')) : undefined;
  try {
    const path = folder === undefined ? log : await copyTopic(log!, join(folder, 'topic.arrow'), options, stop);
    const { LogFile, startExplorer } = await import('@s2lab/explorer');
    const file = path === undefined ? undefined : await LogFile.open(path, { tell });
    try {
      const explorer = await startExplorer({ host: options.host, port: options.port, ...(file === undefined ? {} : { log: file }) }).catch(
        (error: unknown) => {
          throw portProblem(error, options);
        },
      );
      if (options.json === true) say(JSON.stringify({ event: 'listening', url: explorer.url, log: log ?? null }));
      else say(`${log ?? 'logs that are dropped on the page'}: ${explorer.url}  (Ctrl-C ends)`);
      await whenAborted(stop);
      await explorer.close();
    } finally {
      await file?.close();
    }
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function exportSite(log: string | undefined, folder: string, options: UiOptions): Promise<void> {
  if (log?.includes('://') === true)
    throw new UsageError(`${log}: a static site holds a file; write one with: s2lab export ${log} --format arrow -o FILE`);
  const { writeSite } = await import('@s2lab/explorer');
  const written = await writeSite(folder, { log, overwrite: options.force === true });
  if (options.json === true) say(JSON.stringify({ event: 'written', folder, ...written }));
  else say(`${folder}: ${written.files} files; serve the folder with any web server`);
}

/** All that a topic holds now, as a file: a topic cannot be gone through backwards. */
async function copyTopic(topic: string, path: string, options: UiOptions, stop: AbortSignal): Promise<string> {
  const { FileSink } = await import('@s2lab/transport-file');
  const source = await openLog(topic);
  const sink = await FileSink.create(path, { description: JSON.stringify({ exportedFrom: topic }) });
  const progress = new Progress(options.json === true);
  let events = 0;
  try {
    for await (const item of source.frames()) {
      if (stop.aborted) break;
      if (isDamage(item)) {
        tell(`${item.damage}: ${item.where}: ${item.because}`);
        continue;
      }
      await sink.write(item);
      events += item.rows.length;
      progress.update(() => `${topic}: ${compact(events)} events read`);
    }
  } finally {
    progress.end();
    await sink.close();
    await source.close();
  }
  return path;
}
