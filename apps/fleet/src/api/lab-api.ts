import { isIP } from 'node:net';
import swagger from '@fastify/swagger';
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { ApiLab } from './api-lab.ts';
import { ApiError } from './api-lab.ts';
import { controlRoutes } from './routes/control-routes.ts';
import { machineRoutes } from './routes/machine-routes.ts';
import { stage2Routes } from './routes/stage2-routes.ts';
import { stateRoutes } from './routes/state-routes.ts';

/** Where the API is found. */
const PREFIX = '/api';

/** Bytes of a request’s body at most. */
const BODY_MAX = 16 * 1024;

/** The groups of routes, each of one file in `routes`. */
const ROUTES = [stateRoutes, controlRoutes, machineRoutes, stage2Routes];

/**
 * The lab’s HTTP API as a plugin of fastify, to be registered by whoever serves the lab. Schemas check what comes and what goes, and the
 * OpenAPI document is made of them; `GET /api/openapi.json` serves it.
 */
export function labApi(lab: ApiLab): FastifyPluginAsync {
  return async (app) => {
    await app.register(async (api) => mount(api, lab), { prefix: PREFIX });
  };
}

/** The OpenAPI document of the API: docs/api/fleet.openapi.json. */
export async function openApiDocument(lab: ApiLab): Promise<unknown> {
  const app = fastify();
  await app.register(labApi(lab));
  const answer = await app.inject({ url: `${PREFIX}/openapi.json`, headers: { host: 'localhost' } });
  await app.close();
  return answer.json();
}

async function mount(api: FastifyInstance, lab: ApiLab): Promise<void> {
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  api.setErrorHandler(refuse);
  api.setNotFoundHandler(async (request, reply) =>
    reply.code(404).send({ error: `${request.method} ${request.url} does not exist; ${PREFIX}/openapi.json lists what does` }),
  );
  api.removeContentTypeParser('text/plain'); // JSON alone: what a form of another site can send is refused
  api.addHook('onRequest', guardWrites);
  api.addHook('onRoute', (route) => {
    route.bodyLimit ??= BODY_MAX;
  });
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Stage-2 Lab',
        version: '1',
        description:
          'Controls and state of a running lab: of the fleet service, and of the one that npm start runs. Times are virtual nanoseconds.',
      },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  api.get('/openapi.json', { schema: { hide: true } }, async () => api.swagger());
  for (const routes of ROUTES) await api.register(routes(lab));
}

/**
 * A page of another site must not steer the lab: neither by a name of its own that it makes resolve to this machine (then that name is the
 * host), nor by a request across sites (then it is the origin).
 */
async function guardWrites(request: FastifyRequest): Promise<void> {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const name = request.hostname.replace(/^\[|\]$/g, '');
  if (name !== 'localhost' && isIP(name) === 0)
    throw new ApiError(403, `controls are obeyed under an address or localhost, not as ${name}`);
  const { origin } = request.headers;
  if (origin !== undefined && hostOf(origin) !== request.host) throw new ApiError(403, `controls are not obeyed from a page of ${origin}`);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Every error is one line of JSON. */
function refuse(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const told = hasZodFastifySchemaValidationErrors(error)
    ? `${error.validationContext}${error.validation[0]!.instancePath}: ${error.validation[0]!.message}`
    : error.message;
  const status = error.statusCode ?? 500;
  if (status >= 500) request.log.error(error);
  void reply.code(status).send({ error: told.split('\n', 1)[0] });
}
