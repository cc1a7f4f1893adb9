import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LogFileError } from '@s2lab/frame';
import { openIndexedLog } from '@s2lab/transport-file';
import { bundlePage } from './bundle.ts';
import type { Site } from './site.ts';

/** Name of the log beside the page. */
const LOG_NAME = 'log.arrow';

/** What a static site is made of. */
export interface SiteOptions {
  /** Path of a log that the page opens with. */
  readonly log?: string | undefined;
  /** Write into a folder that is not empty. */
  readonly overwrite: boolean;
}

/**
 * Writes the page as files that any web server can serve. Logs are read and verified in the browser.
 * @throws LogFileError when the log is none, or the folder is not empty
 */
export async function writeSite(
  folder: string,
  { log, overwrite }: SiteOptions,
): Promise<{ readonly files: number; readonly log: string | null }> {
  if (log !== undefined) await (await openIndexedLog(log)).close(); // what is no log is said now, not on the page
  await mkdir(folder, { recursive: true });
  if (!overwrite && (await readdir(folder)).length > 0)
    throw new LogFileError(`folder ${folder}: is not empty; choose another one, or write into it with --force`);
  const assets = await bundlePage();
  for (const [path, { body }] of assets) await writeFile(join(folder, path === '/' ? 'index.html' : path.slice(1)), body);
  const site: Site = { live: false, log: log === undefined ? null : { from: 'file', path: LOG_NAME } };
  await writeFile(join(folder, 'site.json'), `${JSON.stringify(site)}\n`);
  if (log !== undefined) await copyFile(log, join(folder, LOG_NAME));
  return { files: assets.size + (log === undefined ? 1 : 2), log: log === undefined ? null : LOG_NAME };
}
