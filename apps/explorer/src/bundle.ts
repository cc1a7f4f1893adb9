import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A file of the page, ready to be served. */
export interface PageAsset {
  readonly type: string;
  readonly body: string;
}

const PAGE = fileURLToPath(new URL('./page/', import.meta.url));

/** Bundles the page from its sources. @returns what to serve, by path; takes about a tenth of a second. */
export async function bundlePage(): Promise<ReadonlyMap<string, PageAsset>> {
  const { outputFiles } = await build({
    entryPoints: { page: `${PAGE}main.ts`, style: `${PAGE}style.css`, 'log-worker': `${PAGE}views/log/log-worker.ts` },
    bundle: true,
    minify: true,
    write: false,
    outdir: PAGE,
    format: 'esm',
    target: 'es2022',
    legalComments: 'inline',
    logLevel: 'silent',
  });
  const bundled = (ending: string): string => outputFiles.find((file) => file.path.endsWith(ending))!.text;
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: readFileSync(`${PAGE}index.html`, 'utf8') }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', body: bundled('page.js') }],
    ['/log-worker.js', { type: 'text/javascript; charset=utf-8', body: bundled('log-worker.js') }],
    ['/style.css', { type: 'text/css; charset=utf-8', body: bundled('style.css') }],
    ['/icon.svg', { type: 'image/svg+xml', body: readFileSync(`${PAGE}icon.svg`, 'utf8') }],
  ]);
}
