import type { FastifyPluginAsync } from 'fastify';
import type { Registry } from 'prom-client';

/** What a service answers besides /metrics. */
export interface ServiceHttpOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Pick<Registry, 'metrics' | 'contentType'>;
  /** Why the service is not healthy; undefined when it is. */
  readonly unhealthy: () => string | undefined;
  /** Further GET routes and what they answer as JSON. */
  readonly routes?: Readonly<Record<string, () => unknown>>;
  /** An API with routes of its own. */
  readonly api?: FastifyPluginAsync;
}

/** A listening server. */
export interface ServiceHttp {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves /metrics, /healthz and the routes of a service.
 * @throws the operating system’s error (EADDRINUSE, EACCES …) when the port cannot be had
 */
export async function serveHttp(options: ServiceHttpOptions): Promise<ServiceHttp> {
  const { fastify } = await import('fastify'); // readers of metrics who serve nothing do not load it
  const app = fastify({ forceCloseConnections: true });
  app.get('/metrics', async (_request, reply) => reply.type(options.registry.contentType).send(await options.registry.metrics()));
  app.get('/healthz', async (_request, reply) => {
    const because = options.unhealthy();
    return because === undefined ? { status: 'ok' } : reply.code(503).send({ status: 'unhealthy', because });
  });
  for (const [path, answer] of Object.entries(options.routes ?? {})) app.get(path, async () => answer());
  if (options.api !== undefined) await app.register(options.api);
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : options.port, close: () => app.close() };
}
