import type { Command } from 'commander';
import { portArgument } from '../arguments.ts';
import { withLogFile } from '../inspect/log-copy.ts';
import { say, tell } from '../output.ts';
import { portProblem } from '../port-problem.ts';
import { stopSignal, whenAborted } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

interface UiOptions {
  readonly host: string;
  readonly port: number;
  readonly profile?: string;
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
    .option('--profile <name>', 'further rules, for imported traces (as those of verify)')
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
  const { PROFILES } = await import('@s2lab/invariants');
  if (options.profile !== undefined && !PROFILES.includes(options.profile))
    throw new UsageError(`ui: there is no profile ${options.profile}; choose ${PROFILES.join(', ')}`);
  const stop = stopSignal();
  if (log === undefined) await serve(undefined, undefined, options, stop);
  else await withLogFile(log, options.json === true, (path) => serve(path, log, options, stop), stop);
}

/** Serves the page of the log at `path`, which the reader knows as `name`, until it is stopped. */
async function serve(path: string | undefined, name: string | undefined, options: UiOptions, stop: AbortSignal): Promise<void> {
  const { LogFile, startExplorer } = await import('@s2lab/explorer');
  const file = path === undefined ? undefined : await LogFile.open(path, { tell, profile: options.profile });
  try {
    const explorer = await startExplorer({ host: options.host, port: options.port, ...(file === undefined ? {} : { log: file }) }).catch(
      (error: unknown) => {
        throw portProblem(error, options);
      },
    );
    if (options.json === true) say(JSON.stringify({ event: 'listening', url: explorer.url, log: name ?? null }));
    else say(`${name ?? 'logs that are dropped on the page'}: ${explorer.url}  (Ctrl-C ends)`);
    await whenAborted(stop);
    await explorer.close();
  } finally {
    await file?.close();
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
