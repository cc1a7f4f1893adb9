import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDamage } from '@s2lab/events';
import { openLog, topicAddress } from '../log-argument.ts';
import { tell } from '../output.ts';
import { Progress, compact } from '../progress.ts';

/** Signals that end a command; the copy goes with it. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Gives `use` a log as a file. All that a topic holds now is copied, because a topic cannot be gone through backwards; the copy is removed
 * when `use` is done, or when the command is interrupted.
 * @param quiet no progress is shown
 * @param stop of a command that hears signals itself; another one ends at once, with status 130
 * @throws UsageError, LogFileError
 */
export async function withLogFile(log: string, quiet: boolean, use: (path: string) => Promise<void>, stop?: AbortSignal): Promise<void> {
  if (!log.includes('://')) {
    await use(log);
    return;
  }
  const { topic } = topicAddress(log);
  const folder = await mkdtemp(join(tmpdir(), 's2lab-topic-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const end = (): void => process.exit(130);
  process.once('exit', remove);
  if (stop === undefined) for (const signal of ENDING) process.once(signal, end);
  try {
    const path = join(folder, `${topic}.arrow`);
    await copyTopic(log, path, quiet, stop);
    if (stop?.aborted === true) process.exitCode = 130;
    else await use(path);
  } finally {
    remove();
    process.off('exit', remove);
    for (const signal of ENDING) process.off(signal, end);
  }
}

async function copyTopic(topic: string, path: string, quiet: boolean, stop: AbortSignal | undefined): Promise<void> {
  const { FileSink } = await import('@s2lab/transport-file');
  const source = await openLog(topic);
  const sink = await FileSink.create(path, { description: JSON.stringify({ exportedFrom: topic }) });
  const progress = new Progress(quiet);
  let events = 0;
  try {
    for await (const item of source.frames()) {
      if (stop?.aborted === true) break;
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
}
