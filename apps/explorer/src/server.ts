import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import { bundlePage } from './bundle.ts';
import type { LiveFeed } from './live-feed.ts';
import type { Site } from './site.ts';

/** Only our own files, no inline code, nobody else's frame. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Bytes that may wait, besides the history, for a page that does not read; beyond that it is cut off and connects anew. */
const STREAM_BACKLOG = 4 * 1024 * 1024;

/** Where the page listens. */
export interface ExplorerOptions {
  /** Address to bind to; loopback unless the user says otherwise. */
  readonly host: string;
  /** Port; 0 = any free one. */
  readonly port: number;
  readonly feed: LiveFeed;
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
  const app = fastify({ forceCloseConnections: true });
  if (isLoopback(options.host)) app.addHook('onRequest', refuseForeignHosts);
  app.addHook('onSend', async (_request, reply) => {
    void reply.headers({
      'content-security-policy': CSP,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });
  for (const [path, asset] of await bundlePage()) app.get(path, async (_request, reply) => reply.type(asset.type).send(asset.body));
  app.get('/site.json', async (): Promise<Site> => ({ live: true, log: null }));
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/api/about', async () => options.feed.about);
  app.get('/api/live', (request, reply) => stream(options.feed, request, reply));
  const { metrics } = options;
  if (metrics !== undefined)
    app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()));
  if (options.api !== undefined) await app.register(options.api);
  await app.listen({ host: options.host, port: options.port });
  return {
    url: urlOf(app, options.host),
    close: async () => {
      options.feed.close();
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

/** Server-sent events: `about`, the history, then a sample at each beat. */
function stream(feed: LiveFeed, request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
  });
  const write = (event: string, data: unknown): number => {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    raw.write(text);
    return text.length;
  };
  write('about', feed.about);
  const limit = STREAM_BACKLOG + write('history', feed.history());
  const stop = feed.listen({
    about: (about) => write('about', about),
    sample: (sample) => {
      write('sample', sample);
      if (raw.writableLength > limit) raw.destroy();
    },
  });
  request.raw.on('close', stop);
}

function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}
