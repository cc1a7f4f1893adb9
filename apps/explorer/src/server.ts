import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { VIEWS } from '@s2lab/dashboards';
import { fastify } from 'fastify';
import { bundlePage } from './bundle.ts';
import type { LiveFeed } from './live-feed.ts';
import type { LogOracle } from './log/answers.ts';
import { addLogApi } from './log/log-api.ts';
import type { MetricFeed } from './metric-feed.ts';
import type { Site } from './site.ts';

/** Only our own files, no inline code, nobody else's frame. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The reader of logs unpacks zstd with WebAssembly, which comes within its own script as a data: address. */
const WORKER_CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' data:";

/** Bytes that may wait, besides the history, for a page that does not read; beyond that it is cut off and connects anew. */
const STREAM_BACKLOG = 4 * 1024 * 1024;

/** Where the page listens. */
export interface ExplorerOptions {
  /** Address to bind to; loopback unless the user says otherwise. */
  readonly host: string;
  /** Port; 0 = any free one. */
  readonly port: number;
  /** The lab that runs behind the page, if one does. */
  readonly feed?: LiveFeed;
  /** Values for the dashboards, if a lab runs. */
  readonly metricFeed?: MetricFeed;
  /** The log behind the page, if there is one. */
  readonly log?: LogOracle;
  /** Text of /metrics, if the lab exposes metrics. */
  readonly metrics?: () => Promise<string>;
  /** The lab’s API: controls and state. */
  readonly api?: FastifyPluginAsync;
}

/** A page that is being served. */
export interface Explorer {
  readonly url: string;
  /** Ends all streams and stops listening. */
  close(): Promise<void>;
}

/**
 * Serves the page and its stream of samples.
 * @throws the operating system’s error (code EADDRINUSE, EACCES …) when the port cannot be had
 */
export async function startExplorer(options: ExplorerOptions): Promise<Explorer> {
  const { feed, metricFeed, log, metrics } = options;
  const app = fastify({ forceCloseConnections: true });
  if (isLoopback(options.host)) app.addHook('onRequest', refuseForeignHosts);
  app.addHook('onSend', async (request, reply) => {
    void reply.headers({
      'content-security-policy': request.url === '/log-worker.js' ? WORKER_CSP : CSP,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });
  for (const [path, asset] of await bundlePage()) app.get(path, async (_request, reply) => reply.type(asset.type).send(asset.body));
  app.get('/site.json', async (): Promise<Site> => ({
    live: feed !== undefined,
    log: log === undefined ? null : { from: 'api' },
  }));
  app.get('/healthz', async () => ({ status: 'ok' }));
  if (feed !== undefined) {
    app.get('/api/about', async () => feed.about);
    app.get('/api/live', (request, reply) => streamLab(feed, request, reply));
  }
  if (metricFeed !== undefined) {
    app.get('/api/views', async () => VIEWS);
    app.get('/api/metrics/live', (request, reply) => streamMetrics(metricFeed, request, reply));
  }
  if (log !== undefined) addLogApi(app, log);
  if (metrics !== undefined)
    app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()));
  if (options.api !== undefined) await app.register(options.api);
  await app.listen({ host: options.host, port: options.port });
  return {
    url: urlOf(app, options.host),
    close: async () => {
      feed?.close();
      metricFeed?.close();
      await app.close();
    },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** A page of another site can make a browser resolve its own name to loopback; such requests carry that name as their host. */
async function refuseForeignHosts(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const name = request.hostname.replace(/^\[|\]$/g, '');
  if (!isLoopback(name)) await reply.code(403).type('text/plain').send(`this server answers on loopback only, not as ${name}\n`);
}

/** Writes an event and its data. */
type WriteEvent = (event: string, data: unknown) => void;

/**
 * Server-sent events, until the reader goes or does not read.
 * @param begin writes what came before, and listens: it returns how to stop that
 */
function stream(request: FastifyRequest, reply: FastifyReply, begin: (write: WriteEvent) => () => void): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
  });
  let limit = Infinity; // what came before is as long as it is
  let before = 0;
  const stop = begin((event, data) => {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    raw.write(text);
    if (limit === Infinity) before += text.length;
    else if (raw.writableLength > limit) raw.destroy();
  });
  limit = STREAM_BACKLOG + before;
  request.raw.on('close', stop);
}

/** `about`, the history, then a sample at each beat and `about` again whenever a control has changed it. */
function streamLab(feed: LiveFeed, request: FastifyRequest, reply: FastifyReply): void {
  stream(request, reply, (write) => {
    write('about', feed.about);
    write('history', feed.history());
    return feed.listen({ about: (about) => write('about', about), sample: (sample) => write('sample', sample) });
  });
}

/** The history, then a row at each beat; `series` tells of series that were not there before. */
function streamMetrics(feed: MetricFeed, request: FastifyRequest, reply: FastifyReply): void {
  stream(request, reply, (write) => {
    write('history', feed.history());
    return feed.listen({ series: (more) => write('series', more), row: (row) => write('row', row) });
  });
}

function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}
